#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Tests of flayout that need no layout leases in the kernel, as TAP.
#   FLAYOUT     the program, e.g. one with sanitizers (make check)
#   FAKE_LEASE  a library that grants and revokes leases, to be preloaded
#   JSON_VALUE  a program that takes a value out of JSON
# Golden output lives in tests/NAME.expected, the table it shows in tests/table;
# tests/root is what /proc and /sys are then.
set -eu
cd "$(dirname "$0")/tests"
: "${FLAYOUT:?the flayout program to test}" "${FAKE_LEASE:?the library to preload}" \
	"${JSON_VALUE:?the program that reads JSON}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
nr=0
failed=0

# result STATUS NAME: one TAP line; STATUS 0 is a success.
result() {
	nr=$((nr + 1))
	if [ "$1" -eq 0 ]; then
		printf '%s\n' "ok $nr $2"
	else
		failed=$((failed + 1))
		printf '%s\n' "not ok $nr $2"
	fi
}

# verify NAME COMMAND...: COMMAND succeeds.
verify() {
	name=$1
	shift
	ok=0
	"$@" || ok=1
	result "$ok" "$name"
}

# golden NAME ARG...: flayout prints exactly tests/NAME.expected.
golden() {
	name=$1
	shift
	status=0
	"$FLAYOUT" "$@" >"$work/out" 2>&1 || status=$?
	[ "$status" -ne 0 ] || diff -u "$name.expected" "$work/out" >&2 || status=1
	result "$status" "$*"
}

# fails STATUS TEXT ARG...: flayout exits with STATUS and says TEXT on stderr.
fails() {
	expected=$1 text=$2
	shift 2
	status=0
	"$FLAYOUT" "$@" >"$work/out" 2>"$work/err" || status=$?
	ok=0
	if [ "$status" -ne "$expected" ] || ! grep -qF -- "$text" "$work/err"; then
		ok=1
		echo "# status $status, expected $expected: $(cat "$work/err")"
	fi
	result $ok "$*: $text"
}

# bad_table TEXT LINE: a table of that line is refused with that message.
bad_table() {
	echo "$2" >"$work/bad"
	fails 1 "$1" list --table "$work/bad"
}

# holds STATUS TEXT ARG...: as does, of "flayout hold".
holds() {
	expected=$1 text=$2
	shift 2
	does "$expected" "$text" hold "$@"
}

# does STATUS TEXT ARG...: flayout, started by $by if that is set, exits with STATUS
# and says TEXT anywhere; leases are granted, as FAKE_* say.
does() {
	expected=$1 text=$2
	shift 2
	status=0
	# shellcheck disable=SC2086 # $by is words
	LD_PRELOAD=$FAKE_LEASE ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0 \
		timeout 20 ${by-} "$FLAYOUT" "$@" >"$work/out" 2>"$work/err" || status=$?
	ok=0
	if [ "$status" -ne "$expected" ] ||
	   ! echo . | cat - "$work/out" "$work/err" | grep -qF -- "$text"; then
		ok=1
		echo "# status $status, expected $expected: $(cat "$work/out" "$work/err")"
	fi
	result $ok "$*: $expected $text"
}

# json POINTER VALUE: what was printed last is JSON, with that value there.
json() {
	value=$("$JSON_VALUE" "$1" <"$work/out" 2>&1) || true
	ok=0
	[ "$value" = "$2" ] || { ok=1; echo "# $value"; }
	result $ok "... $1 is $2"
}

# completes WORDS... => EXPECTED: bash completes the last of the words to that;
# with $empty set, an empty word behind them.
completes() {
	all=$*
	words=${all%% => *} wanted=${all#* => }
	# shellcheck disable=SC2086
	got=$(bash complete.bash "$FLAYOUT" $words ${empty+""})
	ok=0
	[ "${got% }" = "$wanted" ] || { ok=1; echo "# $got"; }
	result $ok "completion: $words${empty+ ''} -> $wanted"
}

pin='lease=7 kind=rdma start=0 end=8192 pages=2 write=1 pid=1 comm=c'

golden tree list --table table
golden flat list -n -r -d --table table
golden json list -J -b --table table
golden some list --table table -o +denied,write -u
golden columns list --table table -o inode,maj:min,path -r
golden pid list --table table -p 4711 -o TYPE,ID
golden none list --table /dev/null -J
golden by_file --sysroot root list --by file -o +LEASES,DENIED
golden by_process --sysroot root list --by process
golden by_device list --table table --by device -J -b -o TYPE,MAJ:MIN,LEASES,PINS,SIZE
golden list list --table table -l -o TYPE,ID,PAGES
golden pairs list --table table -P -d -o ID,STATE,PATH
golden holders --sysroot root list -d -o ID,PID,HOLDERS
golden held_by --sysroot root list -r -n -d -p 77 -o ID
golden wanted list --table table --state breaking --mode unbreak --device 259:1 -o ID -r -n
golden lease list --table table --lease 10 -o ID,STATE -r
golden watch watch --trace trace
golden watch_json watch --trace trace --json -c 4
golden watch_names watch --trace trace_names
golden watch_names_json watch --trace trace_names --json
golden names list --table table_names
golden names_json list --table table_names --json -o COMMAND,PATH

bad_table "line 1: bad or missing 'path'" "pin $pin"
bad_table "line 1: bad or missing 'end'" \
	"pin lease=7 kind=rdma start=0 end=x pages=2 write=1 pid=1 comm=c path=/f"
bad_table "'start'" \
	"pin lease=7 kind=rdma start=-1 end=0 pages=2 write=1 pid=1 comm=c path=/f"
bad_table "'pages'" \
	"pin lease=7 kind=rdma start=0 end=0 pages=18446744073709551616 write=1 pid=1 comm=c path=/f"
bad_table "'write'" \
	"pin lease=7 kind=rdma start=0 end=0 pages=1 write=2 pid=1 comm=c path=/f"
bad_table "'dev'" "lease id=1 dev=259 ino=1 path=/f"
bad_table "bad or missing" "lease"
bad_table "bad or missing 'nonsense'" "pin nonsense"

fails 1 "no column" list -o bogus --table table
fails 1 "no column" list -o '' --table table
fails 1 "exclude each other" list -J -r --table table
fails 1 "exclude each other" list -J -P --table table
fails 1 "no process number" list -p 12x
fails 1 "no lease number" list --lease 0
fails 1 "is no state" list --state broken
fails 1 "is no mode" list --mode exclusive
fails 1 "--by wants" list --by colour
fails 1 "no device" list --device /nonexistent
fails 1 "No such file" list --table table /nonexistent
fails 1 "wants a directory" --sysroot
fails 1 "no layout leases" --sysroot /nonexistent list
fails 1 "No such file" list --table table /nonexistent
fails 1 "a command is missing"
fails 1 "is no command" bogus
fails 125 "FILE to lease is missing" hold
fails 125 "'-- COMMAND' is missing" hold file
fails 125 "'-- COMMAND' is missing" hold file --
fails 125 "wants wait, signal, signal=SIG, kill or drop" hold --on-break=panic f -- true
fails 125 "is no signal" hold -s BOGUS f -- true
fails 125 "is no signal" hold --on-break=signal=BOGUS f -- true
fails 125 "is no range" hold --range 5 f -- true
fails 125 "is no range" hold --range 1:2:3 f -- true
fails 125 "no number of bytes" hold --range 1X:2 f -- true
fails 125 "is no range" hold --range 1:9223372036854775807 f -- true
fails 1 "show wants one FILE" show
fails 1 "only regular files" show /
fails 125 "why wants one FILE" why
fails 125 "only regular files" why /
fails 125 "is no size" why --size 4Kx /etc/passwd
fails 125 "check wants one FILE" check
fails 125 "only regular files" check /
fails 1 "revoke wants" revoke
fails 1 "revoke wants" revoke --lease 1 file
fails 1 "only regular files" revoke /
fails 1 "no event number" watch --count 0
fails 1 "no number of seconds" watch --timeout 1m
fails 1 "longer than 0" watch --interval 0
fails 1 "No such file" watch --trace /nonexistent
fails 125 "No such file" hold /nonexistent -- true
fails 125 "only a regular file" hold / -- true

file=$work/file
other=$work/other
touch "$file" "$other"
in_descriptors="ls -l /proc/\$\$/fd | grep -c -e '$file' -e '$other'"
holds 0 "2" "$file" "$other" -- sh -c "$in_descriptors"
holds 0 "SigBlk:	0000000000000000" "$file" -- grep SigBlk /proc/self/status
holds 3 "" "$file" -- sh -c 'exit 3'
holds 137 "" "$file" -- sh -c 'kill -9 $$'
holds 127 "No such file" "$file" -- /nonexistent
holds 126 "Permission denied" "$file" -- "$file"
# shellcheck disable=SC2016 # for the inner shell
holds 7 "" "$file" -- sh -c 'trap "exit 7" TERM; kill -TERM $PPID; sleep 5 & wait'
by="env --ignore-signal=CHLD"
holds 3 "" "$file" -- sh -c 'exit 3'
cp "$file" "$work/copy"
for closed in '<&-' '>&-' '2>&-'; do
	echo "exec \"\$@\" $closed" >"$work/closing"
	by="sh $work/closing"
	holds 0 "" "$file" -- sh -c 'echo X; echo X >&2; echo X >&0; true'
	verify "... $closed: that was not written to the file" cmp "$file" "$work/copy"
done
unset by
export FAKE_ERRNO=95
holds 125 "use ext4 or XFS" "$file" -- true
unset FAKE_ERRNO
export FAKE_STATE=2 # LAYOUT_BREAKING
holds 0 "is being broken, from byte 4096 to the end; it will be revoked in 1234 ms" \
	"$file" -- sleep 1
holds 124 "is being broken" --on-break=kill "$file" -- sleep 10
holds 124 "is being broken" --on-break=signal "$file" -- sleep 10
holds 9 "is being broken" -s USR1 "$file" -- sh -c 'trap "exit 9" USR1; sleep 5 & wait'
holds 0 "let go of the lease; nothing was registered" --on-break=drop "$file" -- sleep 1
holds 0 "" -q --on-break=wait "$file" -- sleep 1
result "$(wc -c <"$work/err")" "hold -q is quiet"
FAKE_STATE=4 # LAYOUT_REVOKED
holds 0 "the lease was revoked" "$file" -- sleep 1
FAKE_STATE=1 # LAYOUT_ACTIVE
holds 0 "refused an operation of another process (1 so far)" "$file" -- sleep 1
unset FAKE_STATE

# A system of our own: two processes hold leases on $file, one of a deleted name.
root=$work/root
mkdir -p "$root/proc/self" "$root/proc/sys/fs" "$root/proc/50/fd" "$root/proc/50/fdinfo" "$root/proc/51"
maj_min() { stat -c '%Hd:%Ld' "$1"; }
inode() { stat -c %i "$1"; }
lease() { # ID FILE MODE STATE PINS PATH
	echo "lease id=$1 dev=$(maj_min "$2") ino=$(inode "$2") start=0 end=EOF mode=$3 state=$4" \
		"pins=$5 pages=$(($5 * 256)) denied=0 pid=50 comm=server path=$6"
}
echo server >"$root/proc/50/comm"
echo other >"$root/proc/51/comm"
echo layout_break_settle >"$root/proc/51/wchan"
echo 45 >"$root/proc/sys/fs/lease-break-time"
printf '%s\n' "30 1 $(maj_min "$file") / /mnt/a\\040b rw,noatime - ext4 /dev/pmem0 rw,dax=always" \
	>"$root/proc/self/mountinfo"
dd if=/dev/zero of="$file" bs=4096 count=4 2>/dev/null
leases=$root/proc/layout_leases
: >"$leases"

does 0 "it would just happen: the file has no layout leases" --sysroot "$root" why "$file"
lease 3 "$file" shared active 1 "$file" >"$leases"
rest_of_pin="kind=rdma start=0 end=8192 pages=2 write=1 pid=51 comm=other path=/dev/x"
echo "pin lease=3 $rest_of_pin" >>"$leases"
does 1 "break 1 lease and wait until it is let go, 45 s" --sysroot "$root" why "$file"
does 0 "no byte of the file would go" --sysroot "$root" why --size 16K "$file"
does 1 "" --sysroot "$root" why --json "$file"
json /verdict breaks
json /leases/0/pin_list/0/command other
echo 0 >"$root/proc/sys/fs/lease-break-time"
does 1 "without waiting" --sysroot "$root" why "$file"
printf 'lease 5 shared active 2 %s\n' "$file" >"$root/proc/50/file_pins"
printf 'pos:\t0\nlayout_lease:\tid=3 mode=shared state=active\n' >"$root/proc/50/fdinfo/5"
does 2 "would fail with EDEADLK" --sysroot "$root" why --pid 50 "$file"
does 0 "no lease of others" --sysroot "$root" why --pid 50 -s 8192 "$file"
lease 4 "$file" unbreak active 0 "$file" >>"$leases"
does 2 "would fail with ETXTBSY" --sysroot "$root" why --pid 50 "$file"
does 2 "" --sysroot "$root" why -J "$file"
json /error ETXTBSY
sed -i 's/rw,noatime/ro,noatime/' "$root/proc/self/mountinfo"
does 2 "would fail with EROFS" --sysroot "$root" why "$file"

does 0 "ext4, mounted on /mnt/a b" --sysroot "$root" show "$file"
does 0 "server (50) holds lease 3 as descriptor 5" --sysroot "$root" show "$file"
does 0 "" --sysroot "$root" show -J "$file"
json /leases/0/holders/0/fd 5
json /leases/1/mode unbreak
json /waiting "[ ]"
sed -i 's/state=active/state=breaking/' "$leases"
does 0 "other (51) waits for a break" --sysroot "$root" show "$file"
does 0 "no descriptor of it can be asked" --sysroot "$root" show --time-left "$file"
does 0 "No leases." --sysroot "$root" show "$other"

export FAKE_REVOKED="$work/revoked"
does 0 "would revoke lease 4 on $file: unbreak, breaking, 0 registrations" \
	--sysroot "$root" revoke -n --lease 4
verify "revoke --dry-run revokes nothing" [ ! -e "$FAKE_REVOKED" ]
does 0 "revoked lease 3 on $file: shared, breaking, 1 registration of 1M, held by server (50)" \
	--sysroot "$root" revoke --lease 3
does 0 "revoked lease 3" --sysroot "$root" revoke "$file"
does 1 "there is no lease 5" --sysroot "$root" revoke --lease 5
does 1 "process 1 has nothing to do with any lease" --sysroot "$root" revoke --pid 1
does 0 "revoked lease 3" --sysroot "$root" revoke --pid 51 # its pin
# The name of the file is that of another one now.
lease 3 "$file" shared active 1 "$other" >"$leases"
does 1 "lease 3: cannot get at its file" --sysroot "$root" revoke --lease 3
ln -s "$file" "$root/proc/50/fd/5"
does 0 "revoked lease 3" --sysroot "$root" revoke --lease 3
rm "$root/proc/50/fd/5"
mkdir "$root/proc/50/map_files"
ln -s "$other" "$root/proc/50/map_files/1000-2000"
ln -s "$file" "$root/proc/50/map_files/3000-4000"
printf 'lease - shared active 2 %s\n' "$other" >"$root/proc/50/file_pins"
does 0 "" --sysroot "$root" revoke -q --lease 3
result "$(wc -c <"$work/out")" "revoke -q is quiet"
for id in 3 0 3 3 3; do echo "$id $(inode "$file")"; done >"$work/wanted"
verify "revoke acts on the right files only" diff "$work/wanted" "$FAKE_REVOKED"
export FAKE_ERRNO=13
does 1 "only the owner of the file, or CAP_LEASE" --sysroot "$root" revoke "$file"
unset FAKE_ERRNO FAKE_REVOKED

# Process 52 holds one of two leases by a mapping, for which the kernel tells the path.
mkdir "$root/proc/52"
sed -i 's/ro,noatime/rw,noatime/' "$root/proc/self/mountinfo"
printf 'lease - shared active 0 %s\n' "$file" >"$root/proc/52/file_pins"
lease 3 "$file" shared active 1 "$file" >"$leases"
echo "pin lease=3 $rest_of_pin" >>"$leases"
lease 4 "$file" shared active 0 "$file" | sed 's/pid=50/pid=52/' >>"$leases"
does 0 "would revoke lease 4" --sysroot "$root" revoke -n --pid 52
result "$(grep -c "lease 3" "$work/out")" "... and not the one of another process"
does 1 "it would revoke 1 lease" --sysroot "$root" why --pid 52 "$file"
sed -i 's/pid=52/pid=50/' "$leases"
unsure="$file: process 52 holds a lease by a mapping; which one is not known, so none counts"
does 1 "$unsure" --sysroot "$root" revoke -n --pid 52
result "$(wc -c <"$work/out")" "... and none is revoked"
does 1 "$unsure" --sysroot "$root" why --pid 52 "$file"
does 0 "" --sysroot "$root" list --pid 52 -n -r -d -o ID
verify "list shows all that it may hold" [ "$(xargs <"$work/out")" = "3 4" ]

# Names with control characters, and bytes that are no text.
printf 'ser\033ver\n' >"$root/proc/50/comm"
printf 'oth\033er\n' >"$root/proc/51/comm"
lease 3 "$file" shared breaking 1 "$file" |
	sed 's/comm=server/comm=ser\\033ver\\012/; s/$/\\012x\\377/' >"$leases"
printf 'lease 5 shared active 2 %s\n' "$file" >"$root/proc/50/file_pins"
does 1 '  ser\033ver\012 (50) holds lease 3' --sysroot "$root" why "$file"
does 1 "" --sysroot "$root" why -J "$file"
json /leases/0/path "$file
x\377"
does 0 '  ser\033ver (50) holds lease 3 as descriptor 5' --sysroot "$root" show "$file"
does 0 '  oth\033er (51) waits' --sysroot "$root" show "$file"
does 0 "would revoke lease 3 on $file\\012x\\377: shared, breaking, 1 registration of 1M, held by ser\\033ver\\012 (50)" \
	--sysroot "$root" revoke -n --lease 3
touch "$work/odd$(printf '\033')"
does 0 "$work/odd\\033:" --sysroot "$root" why "$work/odd$(printf '\033')"
does 0 "$work/odd\\033" --sysroot "$root" show "$work/odd$(printf '\033')"

# On a DAX file, what the caller has pinned shares entries of 2 MiB with what would go.
truncate -s 4M "$file"
lease 3 "$file" shared active 1 "$file" >"$leases"
echo "pin lease=3 $rest_of_pin" >>"$leases"
does 0 "no lease of others" --sysroot "$root" why --pid 50 -s 8192 "$file"
export FAKE_DAX=1
does 2 "would fail with EDEADLK" --sysroot "$root" why --pid 50 -s 8192 "$file"
does 0 "no lease of others" --sysroot "$root" why --pid 50 -s 2M "$file"
unset FAKE_DAX

# The device is mounted twice, and the path is below the second mount.
mount_id=$(sed -n 's/^mnt_id:[^0-9]*//p' /proc/self/fdinfo/0 <"$file")
sed -i "s/^30 \(.*\)rw,noatime/$mount_id \1rw,noatime/" "$root/proc/self/mountinfo"
sed "s/^$mount_id /$((mount_id + 1)) /; s/rw,noatime/ro,noatime/; s/a.040b/c/" \
	"$root/proc/self/mountinfo" >"$work/first"
cat "$root/proc/self/mountinfo" >>"$work/first"
mv "$work/first" "$root/proc/self/mountinfo"
does 1 "would revoke 1 lease" --sysroot "$root" why "$file"
does 0 "ext4, mounted on /mnt/a b" --sysroot "$root" show "$file"
truncate -s 16K "$file"

# Events out of a table that changes.
(
	sleep 1
	lease 8 "$file" shared active 1 "$file" >"$leases"
	sleep 1
	: >"$leases"
) &
does 0 "ended   lease 3 shared" --sysroot "$root" watch --poll -i 0.1 -c 4 -t 10
verify "watch --poll sees a lease come and go" \
	[ "$(awk '{ printf "%s ", $2 }' "$work/out")" = "ended take pin ended " ]
wait
does 1 "" --sysroot "$root" watch --poll -c 1 -t 0.2
does 0 "looking every 500 ms instead" --sysroot "$root" watch -t 0.2

# What check says of this machine depends on it; of a system of our own it does not.
infiniband=$root/sys/class/infiniband
mkdir -p "$infiniband/mlx5_0/device" "$infiniband/mlx5_0/ports/1" "$infiniband/x0/device" "$work/drivers/mlx5_core" "$work/drivers/x"
for d in mlx5_0 x0; do echo "1: CA" >"$infiniband/$d/node_type"; done
ln -s "$work/drivers/mlx5_core" "$infiniband/mlx5_0/device/driver"
ln -s "$work/drivers/x" "$infiniband/x0/device/driver"
echo "4: ACTIVE" >"$infiniband/mlx5_0/ports/1/state"
does 2 "ok       kernel: it has layout leases" --sysroot "$root" check "$file"
does 2 "ok       file system: ext4, mounted on /mnt/a b" --sysroot "$root" check "$file"
does 2 "problem  DAX: the file goes through the page cache" --sysroot "$root" check "$file"
does 2 "warning  fs.lease-break-time" --sysroot "$root" check "$file"
does 2 "mlx5_0 is driven by mlx5_core, which takes part" --sysroot "$root" check "$file"
does 2 "port 1 of mlx5_0 is active" --sysroot "$root" check --rdma mlx5_0 "$file"
does 2 "x, which may not take part" --sysroot "$root" check --rdma x0 "$file"
does 2 "port 1 of x0 is not active (unknown)" --sysroot "$root" check --rdma x0 "$file"
does 2 "there is no device ../x0" --sysroot "$root" check --rdma ../x0 "$file"
does 2 "" --sysroot "$root" check -J "$file"
json /result problem
json /checks/0/result ok
json /checks/0/advice null
"$FLAYOUT" --sysroot "$root" check "$file" >"$work/out" 2>&1 || true
verify "check tells of a kernel without leases" \
	grep -q "^problem  kernel: it has no layout leases" "$work/out"
does 2 "the file is empty" --sysroot "$root" check "$other"

# The manual page has each option of each command, and each command.
for command in $("$FLAYOUT" --help | awk '/^Commands:/ { on = 1; next } !NF { on = 0 } on { print $1 }'); do
	section=$(sed -n "/^\.Ss flayout $command\$/,/^\.S[sh] /p" ../../man/flayout.1)
	missing=
	for option in $("$FLAYOUT" "$command" --help |
			sed -n 's/^ *\(-[a-zA-Z], \)\?\(--[a-z-]*\).*/\2/p'); do
		[ "$option" = --help ] || printf '%s' "$section" |
			grep -q "^\.It .*[,l] ${option#-}\b" || missing="$missing $option"
	done
	[ -z "$missing" ] || echo "# $missing"
	verify "flayout(1) knows all options of $command" [ -z "$missing" ]
done

completes sh '=>' show
completes list --no '=>' --no-pins --noheadings --notruncate
completes list -o DEN '=>' DENIED
completes list -o +DEN '=>' +DENIED
completes list -o ID,STA '=>' ID,STATE ID,START
completes list --by d '=>' device
completes hold --on-break k '=>' kill
completes hold --on-break = k '=>' kill
completes hold f -- sha256su '=>' sha256sum
completes hold f -- sha256sum jso '=>' json.expected
empty=
completes list --mode '=>' shared unbreak
unset empty

echo "1..$nr"
[ "$failed" -eq 0 ]
