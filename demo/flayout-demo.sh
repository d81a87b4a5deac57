#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# flayout-demo: the whole story of layout leases, played for real in the VM.
#
#   flayout-demo [ext4|xfs]...     both by default
#
# Each scene is a function.  It says in plain words what happens, does it, and
# checks what came of it: "ok" or "FAILED".  Exit status 0 only if every check
# held.  The parts (demo-server, demo-client, demo-keeper) are told what to do
# through pipes and answer with lines of key=value; see talk.h.
set -eu

MB=$((1024 * 1024))
SIZE=64			# MB of the buffer file
HALF=$((SIZE / 2))
PAGES=$((SIZE * 256))
DEVICE=rxe0
ADDRESS=10.77.0.1
PATIENCE=60		# seconds until an answer is given up
BREAK_TIME=2		# seconds a deaf holder gets
WORK=/tmp/demo
failed=0
scene=0
sysctl=/proc/sys/fs/lease-break-time

say() { printf '%s\n' "$*"; }
heading() { printf '\n=== %s ===\n' "$*"; }
scene() { scene=$((scene + 1)); answer=; printf '\n%d. %s\n' "$scene" "$1"; }
show() { sed 's/^/     | /'; }
note() { printf '   %s\n' "$*"; }

# check TEXT COMMAND...: one step of the story, which holds if COMMAND succeeds.
check() {
	text=$1
	shift
	if "$@"; then
		printf '   ok      %s\n' "$text"
	else
		printf '   FAILED  %s\n' "$text"
		[ -z "${answer:-}" ] || printf '     | last answer: %s\n' "$answer"
		failed=$((failed + 1))
	fi
}

# Pipes: the server is on descriptors 3 and 4, the client on 5 and 6, the
# keeper on 7 and 8 (ours to write and to read).

# pipes NAME: make its two pipes anew.
pipes() { rm -f "$WORK/$1.in" "$WORK/$1.out"; mkfifo "$WORK/$1.in" "$WORK/$1.out"; }

# start_server ARG...; start_client; start_keeper
start_server() {
	pipes server
	demo-server "$@" "$file" "$WORK/socket" <"$WORK/server.in" >"$WORK/server.out" &
	server_pid=$!
	exec 3>"$WORK/server.in" 4<"$WORK/server.out"
}

start_client() {
	pipes client
	demo-client "$WORK/socket" "$WORK/data" <"$WORK/client.in" >"$WORK/client.out" &
	client_pid=$!
	exec 5>"$WORK/client.in" 6<"$WORK/client.out"
	hear 6 connected
}

start_keeper() {
	pipes keeper
	demo-keeper "$WORK/keeper" <"$WORK/keeper.in" >"$WORK/keeper.out" &
	keeper_pid=$!
	exec 7>"$WORK/keeper.in" 8<"$WORK/keeper.out"
	hear 8 listening
}

# stop PID WRITE_FD: "quit", and wait for the end; SIGKILL is the last resort.
stop() {
	echo quit >&"$2" || true
	( sleep 10; kill -9 "$1" ) 2>/dev/null &
	watchdog=$!
	wait "$1" 2>/dev/null || true
	kill "$watchdog" 2>/dev/null || true
}

stop_server() { stop "$server_pid" 3; exec 3>&- 4<&-; }
stop_client() { stop "$client_pid" 5; exec 5>&- 6<&-; }
stop_keeper() { stop "$keeper_pid" 7; exec 7>&- 8<&-; }

# hear FD WORD: wait for a line that begins with WORD, into $answer.
hear() {
	answer=
	# shellcheck disable=SC3045 # busybox has read -t
	while read -r -t "$PATIENCE" answer <&"$1"; do
		case $answer in "$2" | "$2 "*) return 0 ;; esac
	done
	answer="(no '$2')"
	return 1
}

# server COMMAND WORD, client COMMAND WORD, keeper COMMAND WORD: ask, and hear the answer.
server() { echo "$1" >&3; hear 4 "$2" || true; }
client() { echo "$1" >&5; hear 6 "$2" || true; }
keeper() { echo "$1" >&7; hear 8 "$2" || true; }

# field KEY: its value in $answer.
field() { printf '%s\n' "$answer" | sed -n "s/.* $1=\([^ ]*\).*/\1/p"; }
text() { printf '%s\n' "$answer" | sed -n 's/.* text=//p'; }
ms() { usec=$(field usec); printf '%d.%d ms' $((${usec:-0} / 1000)) $((${usec:-0} / 100 % 10)); }
mb_per_s() { usec=$(field usec); echo $((${1} * 1000000 / (${usec:-1} + 1))); }

# is KEY VALUE: $answer says so.
is() { [ "$(field "$1")" = "$2" ]; }
is_not() { [ -n "$(field "$1")" ] && [ "$(field "$1")" != "$2" ]; }
# took_ms LOW HIGH: the operation of $answer took that long.
took_ms() {
	took=$(field usec)
	[ -n "$took" ] && [ "$took" -ge $(($1 * 1000)) ] && [ "$took" -le $(($2 * 1000)) ]
}

# new_file: a file of $SIZE MB of zeros, all blocks written.
new_file() { rm -f "$file"; dd if=/dev/zero of="$file" bs=1M count="$SIZE" 2>/dev/null; sync; }
file_size() { stat -c %s "$file"; }
has_size() { [ "$(file_size)" = "$1" ]; }
# begins_with MB: so much of the file is what the client wrote.
begins_with() { cmp -s -n $(($1 * MB)) "$file" "$WORK/data"; }

# One line of an administrator's report, for a check.
listed() { flayout list "$file" -n -r -o "$1" | grep -q "$2"; }
nobody_pins() { list=$(flayout list -n -r -o TYPE) && ! echo "$list" | grep -q rdma; }
nothing_listed() { list=$(flayout list -n -r "$file") && [ -z "$list" ]; }

# ---- the scenes ----

gid_index() {
	for type in "/sys/class/infiniband/$DEVICE/ports/1/gid_attrs/types/"*; do
		index=${type##*/}
		case $(cat "${type%/gid_attrs/*}/gids/$index") in
		0000:0000:0000:0000:0000:ffff:*) echo "$index"; return ;;
		esac
	done 2>/dev/null
	echo 0
}

# wait_port PID: until perftest listens (its port is 18515), or has given up.
wait_port() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		grep -q ':4853 00000000:0000 0A' /proc/net/tcp /proc/net/tcp6 && return
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.5
	done
}

# write_bw PREFIX...: a server with the file as its buffer, a client without; both
# unmodified.  Statuses are in $bw_server and $bw_client, output in $WORK.
write_bw() {
	options="-d $DEVICE -x $(gid_index) -s 65536 -n 500 -F"
	bw_server=0
	bw_client=0
	# shellcheck disable=SC2086 # options are words
	timeout 60 "$@" ib_write_bw $options --mmap="$file" >"$WORK/bw.server" 2>&1 &
	bw_pid=$!
	wait_port "$bw_pid"
	# shellcheck disable=SC2086
	timeout 60 ib_write_bw $options "$ADDRESS" >"$WORK/bw.client" 2>&1 || bw_client=$?
	wait "$bw_pid" || bw_server=$?
}

bw_average() { awk '$1 == 65536 && NF >= 4 { print $4 }' "$WORK/bw.client"; }
bw_failed() { [ "$bw_server" != 0 ] && [ -z "$(bw_average)" ]; }
bw_worked() { [ "$bw_server" = 0 ] && [ "$bw_client" = 0 ] && [ -n "$(bw_average)" ]; }

scene_every_linux() {
	scene "As on every Linux today"
	note "Debian's ib_write_bw, unmodified, is told to use a file as its RDMA buffer:"
	note "  \$ ib_write_bw -d $DEVICE --mmap=$file"
	new_file
	write_bw strace -f -o "$WORK/strace" -e trace=ioctl,write
	grep -iE 'error|fail|couldn' "$WORK/bw.server" | head -4 | show
	check "it fails: the kernel refuses to pin pages of this file system for long" bw_failed
	check "with error 95, Operation not supported, as strace sees it" \
		grep -q 'EOPNOTSUPP' "$WORK/strace"
}

scene_no_lease() {
	scene "A server of ours, without a lease"
	note "It maps the file ($SIZE MB) and registers the mapping with $DEVICE."
	start_server -l none
	hear 4 registered || true
	check "refused: $(text) (EOPNOTSUPP)" is errno 95
	stop_server
}

scene_lease() {
	scene "The same server takes a layout lease on the file first"
	new_file
	start_server -d
	hear 4 leased || true
	check "the lease is granted, in $(ms)" is errno 0
	hear 4 registered || true
	check "now the file is registered: $SIZE MB, in $(ms)" is errno 0
	server state lease
	check "the kernel counts $(field pins) registration of $(field pages) pages" \
		is pages "$PAGES"
	start_client || true
	client "write 0 $((SIZE * MB))" wrote
	check "a client writes $SIZE MB into it by RDMA: $(ms), $(mb_per_s "$SIZE") MB/s" \
		is status 0
	check "read back through the file, every byte is what the client wrote" \
		begins_with "$SIZE"
}

scene_who() {
	scene "An administrator asks who pins what"
	note "  \$ flayout list"
	flayout list "$file" | show
	check "the lease, its file and its holder are listed" \
		listed TYPE,STATE,COMMAND,PATH "^lease active demo-server $file"
	check "and the pin with its subsystem and process" \
		listed TYPE,PAGES,PID "^rdma $PAGES $server_pid"
	note "  \$ cat /proc/$server_pid/file_pins"
	# shellcheck disable=SC2002 # a missing file must not end the demo
	cat "/proc/$server_pid/file_pins" 2>&1 | show
	check "the server's context file names the pages of the file it pins" \
		grep -q "$PAGES $file" "/proc/$server_pid/file_pins"
	note "  \$ grep LAYOUT /proc/locks"
	grep LAYOUT /proc/locks | show
	check "/proc/locks shows it in the eight fields lslocks knows" \
		awk '/LAYOUT +ACTIVE/ && NF == 8 { found = 1 } END { exit !found }' /proc/locks
	stop_client
	stop_server
}

scene_cooperative() {
	scene "A cooperative holder is asked, and a truncate completes"
	new_file
	start_server
	hear 4 registered || true
	check "another server holds a lease and a registration of $SIZE MB" is errno 0
	note "  \$ truncate -s ${HALF}M $file      (fs.lease-break-time: $(cat $sysctl) s)"
	answer=$(demo-truncate "$file" $((HALF * MB)))
	truncated=$answer
	hear 4 event || true
	check "the server is told: $(field state) from byte $(field start), $(field msecs) ms to go" \
		is state breaking
	hear 4 released || true
	check "it deregisters and drops the lease, in $(ms)" is errno 0
	answer=$truncated
	check "the truncate completes, after $(ms)" is errno 0
	check "long before the $(cat $sysctl) s are over" took_ms 0 10000
	check "the file has $HALF MB now" has_size $((HALF * MB))
	server lease leased
	server register registered
	check "and the server carries on: a new lease, a registration of what is left" is errno 0
	stop_server
}

scene_deaf() {
	scene "A deaf holder is revoked"
	old=$(cat $sysctl)
	new_file
	demo-blocks save "$file" "$WORK/blocks" >/dev/null
	start_server -d
	hear 4 registered || true
	check "a server that does not listen holds a registration of $SIZE MB" is errno 0
	start_client || true
	client "write 0 $MB" wrote
	check "its client writes by RDMA" is status 0
	echo $BREAK_TIME >$sysctl
	note "  \$ sysctl fs.lease-break-time=$BREAK_TIME; truncate -s 0 $file"
	answer=$(demo-truncate "$file" 0)
	echo "$old" >$sysctl
	check "the truncate completes nevertheless" is errno 0
	check "after $(ms): the server was given its $BREAK_TIME s" \
		took_ms $((BREAK_TIME * 1000 - 100)) $((BREAK_TIME * 1000 + 5000))
	server state lease
	check "the lease is $(field state), with $(field pins) registrations" is state revoked
	scene_deaf_blocks
	server probe probed
	check "the rest of the server's RDMA context still works" is errno 0
	server deregister deregistered
	check "and it can deregister what was revoked" is errno 0
	stop_client
	stop_server
	rm -f "$victim"
}

# The freed blocks get a new owner; the peer still knows key and address.
scene_deaf_blocks() {
	victim=${file%/*}/victim
	sync
	answer=$(demo-blocks take "$WORK/blocks" "$victim" "$WORK/other") || true
	check "the freed blocks, all $(($(field of) / MB)) MB, are given to another file" \
		is bytes "$(field of)"
	before=$(sha256sum <"$victim")
	client "write 0 $MB" wrote
	check "the client's next RDMA write fails: $(text)" is_not status 0
	client connect connected
	check "it connects anew, for the server is still there" is errno 0
	client "write 0 $MB" wrote
	check "and tries again with the old key: $(text)" is_not status 0
	check "not a byte of the other file has changed" \
		[ "$before" = "$(sha256sum <"$victim")" ]
}

scene_unbreak() {
	scene "An unbreakable lease"
	new_file
	start_server -l unbreak
	hear 4 registered || true
	check "a server holds an unbreakable lease and a registration" is errno 0
	note "  \$ truncate -s 0 $file"
	answer=$(demo-truncate "$file" 0)
	check "the truncate is refused: $(text) (ETXTBSY), at once ($(ms))" is errno 26
	check "the file keeps its $SIZE MB" has_size $((SIZE * MB))
	hear 4 event || true
	check "the server was told of $(field denied) refused operation" is denied 1
	start_client || true
	client "write 0 $((SIZE * MB))" wrote
	check "and its client goes on writing, all $SIZE MB" begins_with "$SIZE"
	stop_client
	stop_server
}

scene_close() {
	scene "The context is passed on, the file is closed"
	new_file
	start_server
	hear 4 registered || true
	check "a server holds a lease and a registration of $SIZE MB" is errno 0
	start_client || true
	client "write 0 $MB" wrote
	check "its client writes by RDMA" is status 0
	start_keeper || true
	server "pass $WORK/keeper" passed
	keeper receive received
	check "the server sends its RDMA context file to another process" is errno 0
	keeper register registered
	check "which can register memory of its own with it" is errno 0
	server close closed
	check "then the server unmaps and closes the data file, in $(ms)" is errno 0
	check "nobody pins anything any more" nobody_pins
	keeper register registered
	check "the context is dead in the other process: $(text) (EIO)" is errno 5
	server probe probed
	check "and in the server: $(text) (EIO)" is errno 5
	client "write 0 $MB" wrote
	check "the client's next RDMA write fails: $(text)" is_not status 0
	check "the file itself is as the client left it" begins_with 1
	stop_client
	stop_keeper
	stop_server
}

scene_unmodified() {
	scene "And the unmodified program of the first scene, below a lease"
	new_file
	note "  \$ flayout hold $file -- ib_write_bw -d $DEVICE --mmap=$file"
	write_bw flayout hold "$file" --
	grep -E '^ *(#bytes|65536)' "$WORK/bw.client" | show
	check "ib_write_bw runs, $(bw_average) MB/s into a file of this file system" bw_worked
	check "and leaves no lease behind" nothing_listed
}

# play NAME: all scenes on one file system.
play() {
	heading "$1 on persistent memory (DAX), $DEVICE (soft-RoCE)"
	file=/mnt/$1/buffer
	scene=0
	scene_every_linux
	scene_no_lease
	scene_lease
	scene_who
	scene_cooperative
	scene_deaf
	scene_unbreak
	scene_close
	scene_unmodified
	rm -f "$file"
}

trap '' PIPE	# a part that died is seen by its missing answer
rm -rf "$WORK"
mkdir -p "$WORK"
dd if=/dev/urandom of="$WORK/data" bs=1M count="$SIZE" 2>/dev/null
dd if=/dev/urandom of="$WORK/other" bs=1M count=8 2>/dev/null
[ $# -gt 0 ] || set -- ext4 xfs
for name; do
	play "$name"
done
if [ "$failed" -ne 0 ]; then
	printf '\n%d steps FAILED\n' "$failed"
	exit 1
fi
printf '\nEvery step held.\n'
