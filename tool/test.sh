#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Tests of flayout that need no layout leases in the kernel, as TAP.
#   FLAYOUT     the program, e.g. one with sanitizers (make check)
#   FAKE_LEASE  a library that grants leases, to be preloaded
# Golden output lives in tests/NAME.expected, the table it shows in tests/table.
set -eu
cd "$(dirname "$0")/tests"
: "${FLAYOUT:?the flayout program to test}" "${FAKE_LEASE:?the library to preload}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
nr=0
failed=0

# result STATUS NAME: one TAP line; STATUS 0 is a success.
result() {
	nr=$((nr + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $nr $2"
	else
		failed=$((failed + 1))
		echo "not ok $nr $2"
	fi
}

# golden NAME ARG...: "flayout list" prints exactly tests/NAME.expected.
golden() {
	name=$1
	shift
	status=0
	"$FLAYOUT" list "$@" >"$work/out" 2>&1 || status=$?
	[ "$status" -ne 0 ] || diff -u "$name.expected" "$work/out" >&2 || status=1
	result "$status" "list $*"
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

# holds STATUS TEXT ARG...: as fails, with leases that are granted.
holds() {
	expected=$1 text=$2
	shift 2
	status=0
	LD_PRELOAD=$FAKE_LEASE ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0 \
		timeout 20 "$FLAYOUT" hold "$@" >"$work/out" 2>"$work/err" || status=$?
	ok=0
	if [ "$status" -ne "$expected" ] ||
	   ! echo . | cat - "$work/out" "$work/err" | grep -qF -- "$text"; then
		ok=1
		echo "# status $status, expected $expected: $(cat "$work/out" "$work/err")"
	fi
	result $ok "hold $*: $expected $text"
}

pin='lease=7 kind=rdma start=0 end=8192 pages=2 write=1 pid=1 comm=c'

golden tree --table table
golden flat -n -r -d --table table
golden json -J -b --table table
golden some --table table -o +denied,write -u
golden columns --table table -o inode,maj:min,path -r
golden pid --table table -p 4711 -o TYPE,ID
golden none --table /dev/null -J

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
fails 1 "no process number" list -p 12x
fails 1 "No such file" list --table table /nonexistent
fails 1 "a command is missing"
fails 1 "is no command" bogus
fails 125 "FILE to lease is missing" hold
fails 125 "'-- COMMAND' is missing" hold file
fails 125 "'-- COMMAND' is missing" hold file --
fails 125 "wants wait, signal or kill" hold --on-break=panic f -- true
fails 125 "is no signal" hold -s BOGUS f -- true
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
export FAKE_ERRNO=95
holds 125 "use ext4 or XFS" "$file" -- true
unset FAKE_ERRNO
export FAKE_STATE=2 # LAYOUT_BREAKING
holds 0 "is being broken, from byte 4096 to the end; it will be revoked in 1234 ms" \
	"$file" -- sleep 1
holds 124 "is being broken" --on-break=kill "$file" -- sleep 10
holds 124 "is being broken" --on-break=signal "$file" -- sleep 10
holds 9 "is being broken" -s USR1 "$file" -- sh -c 'trap "exit 9" USR1; sleep 5 & wait'
holds 0 "" -q --on-break=wait "$file" -- sleep 1
result "$(wc -c <"$work/err")" "hold -q is quiet"
FAKE_STATE=4 # LAYOUT_REVOKED
holds 0 "the lease was revoked" "$file" -- sleep 1
FAKE_STATE=1 # LAYOUT_ACTIVE
holds 0 "refused an operation of another process (1 so far)" "$file" -- sleep 1
unset FAKE_STATE

echo "1..$nr"
[ "$failed" -eq 0 ]
