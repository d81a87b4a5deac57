#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# flayout against real leases: each command is tried on ext4 and on XFS, on the
# leases and registrations of held_file.  What it claims is compared with what
# the kernel then does.  Speaks TAP.
#
# usage: tool [ext4|xfs]...	(default: both)
set -u
. "${0%/*}/tap.sh"

work=$(mktemp -d /tmp/tool.XXXXXX)
sysctl=/proc/sys/fs/lease-break-time
instances=/sys/kernel/tracing/instances

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

# until_true COMMAND...: waits up to 20 s
until_true()
{
	for _ in $(seq 200); do
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

#
# list
#

list_shows_a_lease_and_its_pins()
{
	held -p 2 &&
	status 0 flayout list -n -r -o TYPE,ID,MODE,STATE,PINS,PAGES,COMMAND,PID,PATH &&
	says "^lease $id shared active 2 512 held_file $holder $file\$" &&
	says "^rdma $id    256 held_file $holder /dev/infiniband/uverbs"
	ended=$?
	gone && return $ended
}

list_groups_by_file_process_and_device()
{
	held -p 3 &&
	status 0 flayout list -J -b --by file &&
	json /files/0/type file && json /files/0/pins 3 && json /files/0/size 3145728 &&
	json /files/0/path "$file" && json /files/0/children/0/id "$id" &&
	json /files/0/children/0/children/2/type rdma &&
	status 0 flayout list -J --by process -o +LEASES &&
	json /processes/0/pid "$holder" && json /processes/0/pins 3 &&
	json /processes/0/leases 1 &&
	status 0 flayout list -J --by device -o +MAJ:MIN &&
	json /devices/0/path "/mnt/$fs" &&
	json /devices/0/maj:min "$(mountpoint -d "/mnt/$fs")"
	ended=$?
	gone && return $ended
}

list_finds_every_holder()
{
	held -f -p 1 &&
	status 0 flayout list -d -n -r -o ID,HOLDERS &&
	{ says "^$id $holder,$child\$" || says "^$id $child,$holder\$"; } &&
	status 0 flayout list -d -n -r -o ID -p "$child" && says "^$id\$"
	ended=$?
	gone && return $ended
}

# lists WHAT...: the last lease is among what is listed
lists()
{
	flayout list -d -n -r -o ID "$@" | grep -qx "$id"
}

list_takes_what_is_wanted()
{
	held -u &&
	lists "$file" && lists --file "$file" && lists --lease "$id" &&
	lists --mode unbreak && lists --state active && lists --device "/mnt/$fs" &&
	lists --device "$(findmnt -n -o SOURCE "/mnt/$fs")" &&
	! lists /etc/passwd && ! lists --lease $((id + 1)) && ! lists --mode shared &&
	! lists --state breaking && ! lists --device /proc && ! lists --pid 1
	ended=$?
	gone && return $ended
}

#
# show
#

show_tells_everything_of_a_file()
{
	held -f -p 1 &&
	status 0 flayout show "$file" &&
	says "^File system: *$fs, mounted on /mnt/$fs\$" && says '^DAX: *yes$' &&
	says '^Blocks: *8M mapped' && says "held_file ($holder) holds lease $id as descriptor" &&
	says "held_child ($child) holds lease $id as descriptor" &&
	status 0 flayout show --json "$file" &&
	json /dax true && json /fstype "$fs" && json /blocks/mapped 8388608 &&
	json /leases/0/id "$id" && json /leases/0/pin_list/0/type rdma &&
	json /leases/0/pin_list/0/bytes 1048576 && json /leases/0/break null
	ended=$?
	gone && return $ended
}

show_tells_of_a_mapping_that_holds()
{
	held -c -p 1 &&
	status 0 flayout show "$file" &&
	says "held_file ($holder) holds lease $id by a mapping" &&
	status 0 flayout show -J "$file" && json /leases/0/holders/0/fd null
	ended=$?
	gone && return $ended
}

is_breaking()
{
	grep -q "^lease id=$id .* state=breaking " /proc/layout_leases
}

show_tells_of_a_break()
{
	held -p 1 && echo 30 >$sysctl || return 1
	cut &
	breaker=$!
	until_true is_breaking &&
	status 0 flayout show "$file" && says "lease $id is being broken (--time-left" &&
	says "dd ([0-9]*) waits for a break" &&
	status 0 flayout show --json --time-left "$file" &&
	json /leases/0/state breaking && json /leases/0/break/start 0 &&
	json /leases/0/break/end null && json /waiting/0/command dd &&
	left=$(json_value /leases/0/break/msecs <"$work/said") &&
	[ "$left" -gt 0 ] && [ "$left" -le 30000 ]
	ended=$?
	gone && wait $breaker && is_empty && return $ended
}

#
# why: what it says comes true
#

why_nothing_is_in_the_way()
{
	new_file
	status 0 flayout why "$file" && says 'no layout leases' &&
		status 0 flayout why --json "$file" && json /verdict free && cut && is_empty
}

why_a_lease_would_be_broken()
{
	held -p 1 &&
	status 1 flayout why "$file" && says 'would break 1 lease' && says '45 s' &&
	says "held_file ($holder) holds lease $id (shared, active) with 1 registrations of 1M" &&
	status 1 flayout why -J "$file" && json /verdict breaks &&
	json /leases/0/pin_list/0/pid "$holder" &&
	status 0 flayout why --size 8M "$file" &&
	echo 0 >$sysctl &&
	status 1 flayout why "$file" && says 'without waiting' && cut && is_empty
	ended=$?
	gone && return $ended
}

why_a_truncate_would_be_refused()
{
	held -u &&
	status 2 flayout why "$file" && says 'would fail with ETXTBSY' &&
	says "$id (unbreak, active)" &&
	status 2 flayout why -J "$file" && json /error ETXTBSY && ! cut && ! is_empty
	ended=$?
	gone && return $ended
}

why_of_the_holder_itself()
{
	held -u -p 1 &&
	status 2 flayout why -p "$holder" "$file" && says EDEADLK &&
	status 0 flayout why -p "$holder" --size 4M "$file" && says 'no lease of others' &&
	status 2 flayout why --size 4M "$file"
	ended=$?
	gone && return $ended
}

why_not_of_an_immutable_file()
{
	new_file
	chattr +i "$file"
	status 2 flayout why "$file" && says EPERM && ! cut
	ended=$?
	chattr -i "$file"
	return $ended
}

#
# revoke
#

revoked()
{
	! lease_ids | grep -qx "$id"
}

revoke_only_says_what_it_would_do()
{
	held -u -p 2 &&
	status 0 flayout revoke --dry-run "$file" &&
	says "would revoke lease $id on $file: unbreak, active, 2 registrations of 2M, held by held_file ($holder)" &&
	status 0 flayout revoke -n --pid "$holder" && says "would revoke lease $id" && ! revoked
	ended=$?
	gone && return $ended
}

revoke_by_file()
{
	held -u -p 1 && status 0 flayout revoke "$file" && says "^revoked lease $id on $file" &&
		revoked && cut && is_empty && status 0 flayout revoke "$file"
	ended=$?
	gone && return $ended
}

revoke_by_number()
{
	held -p 1 && status 0 flayout revoke --lease "$id" && revoked &&
		status 1 flayout revoke --lease "$id" && says "there is no lease $id"
	ended=$?
	gone && return $ended
}

revoke_by_process_that_holds_by_fork()
{
	held -f -p 1 && status 0 flayout revoke -q --pid "$child" && revoked &&
		status 1 flayout revoke --pid "$child"
	ended=$?
	gone && return $ended
}

revoke_a_deleted_file()
{
	held -d -p 1 && [ ! -e "$file" ] && status 0 flayout revoke --lease "$id" && revoked
	ended=$?
	gone && return $ended
}

revoke_a_deleted_file_that_is_only_mapped()
{
	held -d -c -p 1 && status 0 flayout revoke --lease "$id" && revoked
	ended=$?
	gone && return $ended
}

# Its path, as the kernel prints it, is that of another file, leased too.
revoke_never_the_wrong_file()
{
	held -d -p 1 || return 1
	first=$id first_job=$held_job
	file="$file (deleted)"
	held && status 0 flayout revoke --lease "$first" && ! revoked && [ "$(lease_ids)" = "$id" ]
	ended=$?
	kill -9 "$first_job"
	gone && return $ended
}

nobody='/usr/bin/setpriv --reuid 65534 --regid 65534 --clear-groups'

# shellcheck disable=SC2086 # $nobody is words
revoke_is_for_owners()
{
	held -p 1 && chmod 666 "$file" &&
	status 1 $nobody flayout revoke "$file" && says 'only the owner' && ! revoked &&
	chown 65534 "$file" && status 0 $nobody flayout revoke "$file" && revoked
	ended=$?
	gone && return $ended
}

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
		events take revoke && says "take *lease [0-9]* shared 0-EOF .* $file by "
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
		status 2 flayout check /tmp/tap 2>/dev/null || status 2 flayout check /proc/cmdline
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

tests="list_shows_a_lease_and_its_pins
list_groups_by_file_process_and_device
list_finds_every_holder
list_takes_what_is_wanted
show_tells_everything_of_a_file
show_tells_of_a_mapping_that_holds
show_tells_of_a_break
why_nothing_is_in_the_way
why_a_lease_would_be_broken
why_a_truncate_would_be_refused
why_of_the_holder_itself
why_not_of_an_immutable_file
revoke_only_says_what_it_would_do
revoke_by_file
revoke_by_number
revoke_by_process_that_holds_by_fork
revoke_a_deleted_file
revoke_a_deleted_file_that_is_only_mapped
revoke_never_the_wrong_file
revoke_is_for_owners
watch_prints_what_happens
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
check_finds_what_is_wrong_with_the_system"

# on_fs TEST: one test on $fs, from a clean state
on_fs()
{
	file=/mnt/$fs/tool
	echo 45 >$sysctl
	"$1"
}

# shellcheck disable=SC2086
set -- ${*:-ext4 xfs}
# shellcheck disable=SC2086
plan $(($# * $(echo $tests | wc -w)))
for fs; do
	for test in $tests; do
		check on_fs "$test"
	done
done
rm -rf "$work"
