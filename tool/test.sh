#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Tests of flayout that need no layout leases in the kernel, as TAP.
#   FLAYOUT  the program, e.g. one with sanitizers (make check)
# Golden output lives in tests/NAME.expected, the table it shows in tests/table.
set -eu
cd "$(dirname "$0")/tests"
: "${FLAYOUT:?the flayout program to test}"
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

echo "1..$nr"
[ "$failed" -eq 0 ]
