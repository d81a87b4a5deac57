#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What the tests of flayout share: leases of held_file, what flayout said, and
# the loop over file systems.  Source it:
#
#	. "${0%/*}/tool_rig"
#	...
#	run_tests "NAMES" "$@"
. "${0%/*}/tap.sh"

work=$(mktemp -d /tmp/tool.XXXXXX)
sysctl=/proc/sys/fs/lease-break-time
# as a user who owns nothing; words
# shellcheck disable=SC2034
nobody='/usr/bin/setpriv --reuid 65534 --regid 65534 --clear-groups'

new_file()
{
	rm -f "$file"
	dd if=/dev/zero of="$file" bs=1M count=8 conv=fsync 2>/dev/null
}

# held OPTION...: held_file on a new file; sets $holder, $child and $id
held()
{
	new_file
	held_again "$@"
}

# held_again OPTION...: the same on the file as it is
held_again()
{
	: >"$work/held"
	held_file "$@" "$file" >"$work/held" 2>&1 &
	held_job=$!
	until_true grep -q '^held ' "$work/held" || { cat "$work/held"; return 1; }
	read -r _ holder child <"$work/held"
	id=$(lease_ids | tail -n 1)
}

# gone: the holder ends, and all its leases
gone()
{
	kill -9 "$held_job" 2>/dev/null
	wait "$held_job" 2>/dev/null
	until_true no_leases
}

lease_ids()
{
	sed -n 's/^lease id=\([0-9]*\) .*/\1/p' /proc/layout_leases
}

no_leases()
{
	[ -z "$(lease_ids)" ]
}

# how much longer things may take on this kernel
slow=${FLAYOUT_SLOW:+4}
slow=${slow:-1}

# until_true COMMAND...: waits up to 20 s
until_true()
{
	for _ in $(seq $((200 * slow))); do
		! "$@" || return 0
		sleep 0.1
	done
	return 1
}

# status N COMMAND...: it ends with status N; output in $work/said
status()
{
	expected=$1
	shift
	timeout 60 "$@" >"$work/said" 2>&1
	got=$?
	[ $got = "$expected" ] || { echo "$*: status $got"; cat "$work/said"; return 1; }
}

# says TEXT: the last output has a line with it
says()
{
	grep -q -e "$1" "$work/said" || { echo "not said: $1"; cat "$work/said"; return 1; }
}

# json POINTER VALUE: the last output is JSON, with that value there
json()
{
	value=$(json_value "$1" <"$work/said" 2>&1)
	[ "$value" = "$2" ] || { echo "$1: $value, not $2"; cat "$work/said"; return 1; }
}

# cut: truncates to nothing, waiting as long as it takes
cut()
{
	timeout 60 dd if=/dev/null of="$file" 2>/dev/null
}

is_empty()
{
	[ ! -s "$file" ]
}

# on_fs TEST: one test on $fs, from a clean state
on_fs()
{
	file=/mnt/$fs/tool
	echo 45 >$sysctl
	"$1"
}

# run_tests NAMES [ext4|xfs]...: on both by default
run_tests()
{
	names=$1
	shift
	[ $# -gt 0 ] || set -- ext4 xfs
	plan $(($# * $(echo "$names" | wc -w)))
	for fs; do
		for test in $names; do
			check on_fs "$test"
		done
	done
	rm -rf "$work"
}
