#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The guides of docs/, as their readers would try them: each command line with
# the prompt "#" is run, in one shell for a guide, and must print what is shown
# below it, as as_shown.awk sees it.  A command that only looks is repeated until
# it does; one that fails must show how.  Speaks TAP.
#
# usage: guides [NAME...]	(default: user-guide admin-guide)
set -u
here=${0%/*}
work=$(mktemp -d /tmp/guides.XXXXXX)
patience=60	# seconds
number=0
[ $# -gt 0 ] || set -- user-guide admin-guide

# extract NAME: into $work/NAME, and says how many
extract()
{
	mkdir "$work/$1" &&
		awk -v prompt='#' -v dir="$work/$1" -f "$here/guides.awk" "$here/$1.md"
}

# only_looks COMMAND-LINE
only_looks()
{
	case $1 in
	*'>'*)	return 1 ;;
	cat\ *|grep\ *|tail\ *|ls\ *|rdma\ *|lslocks|netstat\ *)	return 0 ;;
	flayout\ list*|flayout\ show*|flayout\ why*)		return 0 ;;
	*)	return 1 ;;
	esac
}

# as_shown STEP: the last output, and that of a failure
as_shown()
{
	[ "$status" = 0 ] || [ -s "$1.shown" ] || { echo "exit status $status"; return 1; }
	awk -f "$here/as_shown.awk" "$1.shown" "$work/output"
}

# The guide's own shell: what the command line sets is there for the next.
run_step()
{
	began=$(date +%s)
	before=$status
	line=$(cat "$1.command")
	while :; do
		(exit "$before")
		eval "$line" >"$work/output" 2>&1 </dev/null
		status=$?
		! as_shown "$1" >"$work/why" || return 0
		only_looks "$line" && [ $(($(date +%s) - began)) -lt $patience ] || return 1
		sleep 0.2
	done
}

# result STATUS NAME STEP
result()
{
	name="$2:$(cat "$3.line"): $(head -n 1 "$3.command" | tr -d '#\\')"
	if [ "$1" = 0 ]; then
		echo "ok $number $name"
	else
		sed 's/^/# /' "$work/output" "$work/why"
		echo "not ok $number $name"
	fi
}

# What was left in the background ends with the guide.
end_of_guide()
{
	for job in $(jobs -p); do
		kill -9 "$job"
	done 2>/dev/null
	wait
	echo 45 >/proc/sys/fs/lease-break-time
} >/dev/null 2>&1

# play NAME STEPS
play()
{
	mkdir -p "$work/$1.dir"
	cd "$work/$1.dir" || return
	status=0
	for n in $(seq "$2"); do
		number=$((number + 1))
		run_step "$work/$1/$n"
		result $? "$1" "$work/$1/$n"
	done
	end_of_guide
}

total=0
counts=
for guide; do
	count=$(extract "$guide") && [ "$count" -gt 0 ] || { echo "Bail out! $guide"; exit 1; }
	total=$((total + count))
	counts="$counts $count"
done
echo TAP version 13
echo "1..$total"
for count in $counts; do
	play "$1" "$count"
	shift
done
rm -rf "$work"
