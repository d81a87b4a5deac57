#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The examples: dax-rdma-server and dax-rdma-client, both in this guest.
#
# usage: examples [ext4|xfs]...
set -u
. "${0%/*}/tool_rig"

address=10.77.0.1
server=
client=
mb=1048576

# remote COMMAND...: dax-rdma-client; output in $work/said
remote()
{
	timeout 60 dax-rdma-client $address "$@" >"$work/got" 2>"$work/said"
}

# serve [OPTION...]: a server on a new file
serve()
{
	new_file
	serve_file "$@"
}

# serve_file [OPTION...]: the same on the file as it is
serve_file()
{
	: >"$work/server"
	trap 'kill -9 $server $client 2>/dev/null' EXIT
	dax-rdma-server "$@" $address "$file" >"$work/server" 2>&1 &
	server=$!
	until_true grep -q '^serving' "$work/server"
}

# looping: a client that writes all the time
looping()
{
	: >"$work/client"
	dax-rdma-client $address loop >"$work/client" 2>&1 &
	client=$!
	until_true writes
}

# writes: it has said that it wrote something, after all else that it said
writes()
{
	tail -n 1 "$work/client" | grep -q '^[1-9][0-9]* writes in'
}

# ended PROCESS: asks it to end; succeeds if it had no complaint
ended()
{
	kill "$1" 2>/dev/null
	wait "$1"
}

# tell WHERE TEXT: fails, with all that was said, unless it was said
tell()
{
	grep -q "$2" "$work/$1" || { echo "$1 does not say: $2"; cat "$work/$1"; return 1; }
}

# told WHERE TEXT: the same, after a while
told()
{
	until_true grep -q "$2" "$work/$1" || tell "$@"
}

# left_alone: nobody runs, and no lease is left
left_alone()
{
	[ -z "$client" ] || ended "$client" || { cat "$work/client"; return 1; }
	ended "$server" || { cat "$work/server"; return 1; }
	until_true no_leases
}

# cut_to MB: truncates as a program does that waits
cut_to()
{
	timeout 60 xfs_io -c "truncate $1m" "$file"
}

# seconds COMMAND...: how long it takes, into $took
seconds()
{
	began=$(date +%s)
	"$@" || return 1
	took=$(($(date +%s) - began))
}

has_mb()
{
	[ "$(stat -c %s "$file")" = $(($1 * mb)) ]
}

# random FILE BYTES
random()
{
	head -c "$2" /dev/urandom >"$1"
}

what_is_written_remotely_is_in_the_file()
{
	random "$work/data" 3000000
	serve && remote write 4097 <"$work/data" || { cat "$work/said"; return 1; }
	tail -c +4098 "$file" | head -c 3000000 | cmp - "$work/data" && left_alone
}

what_is_in_the_file_is_read_remotely()
{
	random "$work/data" 8388608
	cat "$work/data" >"$file"
	serve_file && remote read 0 8388608 && cmp "$work/got" "$work/data" || return 1
	remote read 12345 67 && tail -c +12346 "$file" | head -c 67 | cmp - "$work/got" &&
		left_alone
}

beyond_the_end_nothing_is_read()
{
	serve || return 1
	! remote read 8388600 9 && tell said 'the file is shorter' && left_alone
}

a_flush_is_answered()
{
	serve && remote flush 0 8388608 || { cat "$work/said"; return 1; }
	! remote flush 1 8388608 && tell said 'the file is shorter' && left_alone
}

an_atomic_write_writes_eight_bytes()
{
	serve && remote atomic-write 8192 0x1122334455667788 || { cat "$work/said"; return 1; }
	[ "$(od -An -tx8 -j 8192 -N 16 "$file" | xargs)" = "1122334455667788 0000000000000000" ] ||
		return 1
	! remote atomic-write 8193 1 && tell said 'Invalid argument' && left_alone
}

a_truncate_is_quick_and_the_client_goes_on()
{
	serve && looping && seconds cut_to 4 || return 1
	[ "$took" -le $((5 * slow)) ] || { echo "it took $took s"; return 1; }
	has_mb 4 && told client "there: $((4 * mb)) bytes" &&
		until_true writes && tell client 'asks me to stop' &&
		! grep -q error "$work/server" && left_alone && tell client 'errors: 0; not as written: 0'
}

# As truncate(1) does, which opens with O_NONBLOCK.
who_does_not_wait_succeeds_at_the_next_try()
{
	serve && looping || return 1
	! truncate -s 4M "$file" 2>/dev/null || return 1
	told server 'let go of the lease' && truncate -s 4M "$file" && has_mb 4 &&
		told client "there: $((4 * mb)) bytes" && left_alone
}

a_file_is_emptied_and_filled_again()
{
	serve && looping && cut_to 0 && told client 'the file is empty' &&
		has_mb 0 && cut_to 2 && left_alone
}

a_revoke_is_an_error_and_the_server_comes_back()
{
	serve && looping && flayout revoke "$file" >/dev/null || return 1
	told client 'remote access error' && told server '^revoked' &&
		told server 'lease is back' && until_true writes && left_alone
}

who_ignores_a_break_is_revoked()
{
	echo 2 >$sysctl
	serve -i && looping && seconds cut_to 4 || return 1
	[ "$took" -ge 1 ] && told client 'remote access error' &&
		told server ignored && told client "there: $((4 * mb)) bytes" &&
		until_true writes && left_alone
}

run_tests "what_is_written_remotely_is_in_the_file
	what_is_in_the_file_is_read_remotely
	beyond_the_end_nothing_is_read
	a_flush_is_answered
	an_atomic_write_writes_eight_bytes
	a_truncate_is_quick_and_the_client_goes_on
	who_does_not_wait_succeeds_at_the_next_try
	a_file_is_emptied_and_filled_again
	a_revoke_is_an_error_and_the_server_comes_back
	who_ignores_a_break_is_revoked" "$@"
