#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# flayout list, show, why and revoke against real leases: what they claim is
# compared with what the kernel then does.  Speaks TAP.
#
# usage: tool [ext4|xfs]...	(default: both)
set -u
. "${0%/*}/tool_rig"

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

# shellcheck disable=SC2086 # $nobody is words
revoke_is_for_owners()
{
	held -p 1 && chmod 666 "$file" &&
	status 1 $nobody flayout revoke "$file" && says 'only the owner' && ! revoked &&
	chown 65534 "$file" && status 0 $nobody flayout revoke "$file" && revoked
	ended=$?
	gone && return $ended
}

run_tests "list_shows_a_lease_and_its_pins
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
revoke_is_for_owners" "$@"
