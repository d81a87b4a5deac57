#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# flayout watch, hold and check against real leases.  Speaks TAP.
#
# usage: tool_live [ext4|xfs]...	(default: both)
set -u
. "${0%/*}/tool_rig"

instances=/sys/kernel/tracing/instances

#
# watch
#

# watch OPTION...: flayout watch in the background, once it listens
watch()
{
	flayout watch "$@" >"$work/said" 2>"$work/watch.err" &
	watcher=$!
	until_true grep -qx 1 "$instances/flayout.$watcher/events/layout_lease/enable" 2>/dev/null
}

# watched STATUS: it has ended so, and its instance is gone
watched()
{
	wait $watcher
	got=$?
	[ $got = "$1" ] || { echo "watch: $got"; cat "$work/watch.err"; return 1; }
	[ ! -e "$instances/flayout.$watcher" ]
}

# events WORD...: the lines of the last watch, in order
events()
{
	[ "$(awk '{ printf "%s ", $2 }' "$work/said")" = "$* " ] || { cat "$work/said"; return 1; }
}

watch_prints_what_happens()
{
	new_file
	watch --count 2 "$file" && flayout hold "$file" -- true && watched 0 &&
		events take drop && says "take *lease [0-9]* shared 0-EOF .* $file by "
}

watch_prints_pins_and_revocation()
{
	new_file
	echo 0 >$sysctl
	watch --json --count 5 "$file" && held_again -p 1 && cut && watched 0 || return 1
	for what in take pin break unpin revoke; do
		says "\"event\":\"$what\"" || return 1
	done
	while read -r line; do
		echo "$line" >"$work/said.line"
		json_value /id <"$work/said.line" >/dev/null || return 1
	done <"$work/said"
	head -n 1 "$work/said" >"$work/first" && mv "$work/first" "$work/said"
	json /event take && json /path "$file" && json /end null && json /mode shared
	ended=$?
	gone && return $ended
}

watch_counts_refusals()
{
	held -u && watch --count 1 "$file" && ! cut && watched 0 && events denied
	ended=$?
	gone && return $ended
}

watch_looks_at_wanted_files_only()
{
	new_file
	touch "$file.other"
	watch --count 1 "$file" && flayout hold "$file.other" -- true &&
		flayout hold "$file" -- true && watched 0 && says "$file by " && ! says other
}

watch_ends_at_a_signal()
{
	for signal in INT TERM HUP; do
		watch && kill -$signal $watcher && watched 0 || return 1
	done
}

watch_ends_in_time()
{
	status 0 flayout watch --timeout 1 && status 1 flayout watch --timeout 1 --count 1 &&
		! ls -d $instances/flayout.* 2>/dev/null
}

watch_takes_away_what_a_killed_one_left()
{
	watch && kill -9 $watcher
	wait $watcher
	left=$instances/flayout.$watcher
	[ -e "$left" ] && status 0 flayout watch --timeout 0.2 && [ ! -e "$left" ]
}

watch_leaves_the_trace_of_others_alone()
{
	watch && grep -qx 0 /sys/kernel/tracing/events/layout_lease/enable &&
		kill $watcher && watched 0
}

watch_without_tracefs()
{
	new_file
	flayout watch --poll -i 0.1 --count 3 "$file" >"$work/said" 2>&1 &
	watcher=$!
	sleep 1
	held_again -p 1 && flayout revoke "$file" && watched 0 && events take pin ended
	ended=$?
	gone && return $ended
}

#
# hold
#

# below OPTION... -- COMMAND...: flayout hold in the background, when it holds
below()
{
	new_file
	below_again "$@"
}

below_again()
{
	flayout hold "$@" >"$work/said" 2>&1 &
	wrapper=$!
	until_true grep -q "^lease .* path=$file\$" /proc/layout_leases
}

# ends STATUS: the wrapper has
ends()
{
	wait $wrapper
	got=$?
	[ $got = "$1" ] || { echo "hold: $got"; cat "$work/said"; return 1; }
}

hold_lets_go_when_nothing_is_registered()
{
	below --on-break=drop "$file" -- sleep 3 && cut && is_empty && no_leases &&
		ends 0 && says 'let go of the lease'
}

# The command has registered something, under the lease of its wrapper.
hold_lets_go_when_the_last_pin_goes()
{
	below --on-break=drop "$file" -- sh -c 'held_file -n -p 1 "$0" & sleep 4; kill $!; sleep 30' "$file" &&
		until_true grep -q '^pin ' /proc/layout_leases && cut && is_empty || return 1
	no_leases && grep 'let go of the lease' "$work/said"
	ended=$?
	kill $wrapper
	wait $wrapper
	return $ended
}

hold_waits_for_revocation()
{
	echo 1 >$sysctl
	below "$file" -- sleep 4 && cut && is_empty && ends 0 && says 'was revoked'
}

hold_sends_a_signal()
{
	below --on-break=signal=USR1 "$file" -- sh -c 'trap "exit 9" USR1; while :; do sleep 0.1; done' &&
		cut && is_empty && ends 9
}

hold_kills()
{
	below --on-break=kill "$file" -- sleep 60 && cut && is_empty && ends 124
}

hold_refuses_for_an_unbreakable_lease()
{
	below -u "$file" -- sleep 2 && ! cut && ! is_empty && ends 0 && says 'refused an operation'
}

hold_leases_a_range_only()
{
	below --range 0:2M "$file" -- sleep 2 &&
		grep -q "^lease .* start=0 end=2097152 .* path=$file\$" /proc/layout_leases &&
		timeout 1 dd if=/dev/null of="$file" bs=1M seek=2 2>/dev/null && ends 0
}

#
# check
#

check_finds_a_dax_file_fit()
{
	new_file
	flayout check --rdma rxe0 "$file" >"$work/said"
	[ $? -le 1 ] && says '^ok *kernel' && says "^ok *file system: $fs" && says '^ok *DAX' &&
		says '^ok *owner' && says '^ok *RDMA driver: rxe0 is a device in software' &&
		! says '^problem' && flayout check -J "$file" >"$work/said"
	json /path "$file" && json /checks/0/check kernel && json /checks/0/result ok
}

check_finds_what_is_wrong_with_files()
{
	other=/mnt/$fs-nodax/file
	dd if=/dev/zero of="$other" bs=1M count=2 2>/dev/null
	status 2 flayout check "$other" && says '^problem *DAX' || return 1
	rm -f "$other"
	truncate -s 4M "$file.sparse"
	status 1 flayout check -q "$file.sparse" && says '4M are holes' && ! says '^ok' || return 1
	: >"$file.empty"
	status 1 flayout check "$file.empty" && says 'the file is empty' &&
		status 2 flayout check /proc/cmdline && says '^problem *file system: proc'
}

# ext4 aligns what is allocated at once.
check_counts_huge_entries()
{
	[ "$fs" = ext4 ] || return 0
	rm -f "$file"
	fallocate -l 32M "$file"
	status 0 flayout show -J "$file" && json /blocks/huge_wanted 16 &&
		json /blocks/unwritten 33554432 &&
		[ "$(json_value /blocks/huge <"$work/said")" -gt 8 ]
}

check_finds_shared_blocks()
{
	[ "$fs" = xfs ] || return 0
	new_file
	cp --reflink=always "$file" "$file.clone" && status 1 flayout check "$file" &&
		says '8M are shared'
}

# shellcheck disable=SC2086
check_finds_what_is_wrong_with_the_system()
{
	new_file
	status 2 flayout check --rdma bogus "$file" && says 'there is no device bogus' || return 1
	echo 0 >/proc/sys/fs/leases-enable
	status 2 flayout check "$file" && says 'sysctl fs.leases-enable=1'
	ended=$?
	echo 1 >/proc/sys/fs/leases-enable
	chmod 644 "$file"
	[ $ended = 0 ] || return 1
	# shellcheck disable=SC3045 # busybox has ulimit -l
	(ulimit -l 1024 && status 2 $nobody flayout check "$file") && says 'problem *owner' &&
		says 'warning *write access' && says 'warning *RLIMIT_MEMLOCK: 1M may be pinned'
}

run_tests "watch_prints_what_happens
watch_prints_pins_and_revocation
watch_counts_refusals
watch_looks_at_wanted_files_only
watch_ends_at_a_signal
watch_ends_in_time
watch_takes_away_what_a_killed_one_left
watch_leaves_the_trace_of_others_alone
watch_without_tracefs
hold_lets_go_when_nothing_is_registered
hold_lets_go_when_the_last_pin_goes
hold_waits_for_revocation
hold_sends_a_signal
hold_kills
hold_refuses_for_an_unbreakable_lease
hold_leases_a_range_only
check_finds_a_dax_file_fit
check_finds_what_is_wrong_with_files
check_counts_huge_entries
check_finds_shared_blocks
check_finds_what_is_wrong_with_the_system" "$@"
