#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The example of layout_lease(7), as its reader would try it: it registers a
# file, and others change the file's layout.  What it prints, line by line, is
# what the manual page says.  Speaks TAP.
set -u
. "${0%/*}/tap.sh"

said=/tmp/holder.said
sysctl=/proc/sys/fs/lease-break-time

# line N PATTERN: waits up to 60 s for the holder's Nth line, which must match
line()
{
	for _ in $(seq 600); do
		[ "$(wc -l <$said)" -lt "$1" ] || break
		sleep 0.1
	done
	sed -n "$1p" $said | grep -x "$2" || { cat $said; return 1; }
}

# cut MIB: truncates the file, long before the holder's time would be over
cut()
{
	timeout 20 dd if=/dev/null of="$file" bs=1M seek="$1" 2>/dev/null &&
		[ "$(stat -c %s "$file")" = $(($1 << 20)) ]
}

registers_the_whole_file()
{
	line 1 'lease taken' && line 2 'registered 8388608 bytes, rkey 0x[0-9a-f]*' &&
		grep "^lease .* pins=1 pages=2048 .* path=$file$" /proc/layout_leases
}

lets_go_for_a_truncate()
{
	cut 4 && line 3 'break: bytes from 4194304, [0-9]* ms left' &&
		line 4 deregistered && line 5 'lease dropped'
}

comes_back_with_what_is_left()
{
	line 6 'lease taken' && line 7 'registered 4194304 bytes, .*'
}

# It sleeps through the break, and finds itself cut off.
survives_revocation()
{
	echo 1 >$sysctl
	kill -STOP "$holder"
	cut 2
	status=$?
	kill -CONT "$holder"
	echo 45 >$sysctl
	[ $status = 0 ] && line 8 'revoked: the device was cut off' &&
		line 9 deregistered && line 10 'lease taken' &&
		line 11 'registered 2097152 bytes, .*'
}

has_nothing_to_register_of_an_empty_file()
{
	cut 0 && line 12 'break: bytes from 0, .*' && line 13 deregistered &&
		line 14 'lease dropped' && line 15 'lease taken' &&
		line 16 'nothing to register'
}

grow()
{
	dd if=/dev/zero of="$file" bs=1M count=1 conv=notrunc 2>/dev/null
}

# Only XFS shares blocks.
is_told_of_a_refused_clone()
{
	! timeout 20 cp --reflink=always "$file" "$file.copy" &&
		line 17 'denied: 1 operations so far'
}

# truncate(1) opens files with O_NONBLOCK.
leaves_time_for_who_does_not_wait()
{
	! truncate -s 0 "$file" || return 1
	for _ in $(seq 20); do
		! truncate -s 0 "$file" || return 0
		sleep 0.2
	done
	return 1
}

# ran_till_the_end STATUS: it died of our SIGTERM, and its lease with it
ran_till_the_end()
{
	[ "$1" = 143 ] && ! grep "$file" /proc/layout_leases
}

# on FS DEVICE
on()
{
	file=/mnt/$1/example
	dd if=/dev/zero of="$file" bs=1M count=8 conv=fsync 2>/dev/null
	: >$said
	layout_lease_holder "$2" "$file" >$said 2>&1 &
	holder=$!
	check registers_the_whole_file "$1" "$2"
	check lets_go_for_a_truncate "$1" "$2"
	check comes_back_with_what_is_left "$1" "$2"
	check survives_revocation "$1" "$2"
	check has_nothing_to_register_of_an_empty_file "$1" "$2"
	grow
	[ "$1" != xfs ] || check is_told_of_a_refused_clone "$1" "$2"
	check leaves_time_for_who_does_not_wait "$1" "$2"
	kill "$holder"
	wait "$holder"
	check ran_till_the_end $?
	rm -f "$file" "$file.copy"
}

plan 15
on ext4 rxe0
on xfs siw0
