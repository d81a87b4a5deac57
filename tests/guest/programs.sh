#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Programs that know nothing of leases: Debian's ib_write_bw and fio (with fixed
# buffers of io_uring), told to use a file on a DAX file system as their buffer,
# fail as on every Linux, and run below "flayout hold".  Speaks TAP.
set -eu

work=$(mktemp -d /tmp/programs.XXXXXX)
count=0
failed=0
disk=/mnt/xfs-nodax/disk
device=rxe0
address=10.77.0.1
gids=/sys/class/infiniband/$device/ports/1/gids
# The index of the gid that stands for the IPv4 address.
index=$(grep -l '^0000:0000:0000:0000:0000:ffff:' $gids/* 2>/dev/null | head -n 1)
options="-d $device -x ${index##*/} -s 4096 -n 50 -F"

# result STATUS TEXT: one line of TAP; STATUS 0 is success
result()
{
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $count $2"
	else
		echo "not ok $count $2"
		failed=1
	fi
}

# listening PORT PID: waits until PID listens there, at most 20 s
listening()
{
	hex=$(printf ':%04X ' "$1")
	for _ in $(seq 200); do
		kill -0 "$2" 2>/dev/null || return 1
		! grep -q "$hex.* 0A " /proc/net/tcp /proc/net/tcp6 || return 0
		sleep 0.1
	done
	return 1
}

# bandwidth PORT FILE [WRAPPER...]: server on FILE, below WRAPPER, and a client;
# succeeds if both do.  Outputs in $work/server and $work/client.
bandwidth()
{
	port=$1 file=$2
	shift 2
	# shellcheck disable=SC2086
	timeout 60 "$@" ib_write_bw $options -p "$port" --mmap="$file" >"$work/server" 2>&1 &
	server=$!
	: >"$work/client"
	# shellcheck disable=SC2086
	if listening "$port" "$server"; then
		timeout 60 ib_write_bw $options -p "$port" "$address" >"$work/client" 2>&1 ||
			echo "client failed" >>"$work/client"
	fi
	wait "$server" && ! grep -q 'client failed' "$work/client"
}

# fixed_buffers FILE [WRAPPER...]: fio writes from FILE, and verifies by reading
fixed_buffers()
{
	file=$1
	shift
	timeout 60 "$@" fio --name=fixed --ioengine=io_uring --fixedbufs=1 --iodepth=8 \
		--iomem=mmapshared:"$file" --filename="$disk" --size=4m --bs=64k \
		--rw=randwrite --direct=1 --verify=crc32c --do_verify=1 \
		>"$work/server" 2>&1
}

# explain: what the programs said, as TAP comments
explain()
{
	sed 's/^/# server: /' "$work/server"
	sed 's/^/# client: /' "$work/client"
}

# no_leases FILE: nothing of the programs is left
no_leases()
{
	[ -r /proc/layout_leases ] && ! grep -q "$1" /proc/layout_leases
}

# on FS PORT: the tests on one file system
on()
{
	file=/mnt/$1/bandwidth
	dd if=/dev/zero of="$file" bs=1M count=4 conv=fsync 2>/dev/null

	status=0
	bandwidth "$2" "$file" && status=1
	grep -qi "allocate MR" "$work/server" || status=1
	[ "$status" = 0 ] || explain
	result $status "$1: without a lease ib_write_bw --mmap fails"

	status=0
	bandwidth $(($2 + 1)) "$file" flayout hold "$file" -- || status=1
	[ "$status" = 0 ] || explain
	result $status "$1: below flayout hold it runs"

	status=0
	no_leases "$file" || status=1
	result $status "$1: it leaves no lease behind"

	status=0
	! fixed_buffers "$file" && grep -q 'not supported' "$work/server" || status=1
	[ "$status" = 0 ] || explain
	result $status "$1: without a lease fio with fixed buffers fails"

	status=0
	fixed_buffers "$file" flayout hold "$file" -- || status=1
	[ "$status" = 0 ] || explain
	result $status "$1: below flayout hold it runs, and finds what it has written"

	status=0
	no_leases "$file" || status=1
	result $status "$1: it leaves no lease behind either"

	status=0
	timeout 10 truncate -s 0 "$file" || status=1
	result $status "$1: its file can be truncated afterwards"
	rm -f "$file"
}

echo "TAP version 13"
echo "1..14"
on ext4 18600
on xfs 18700
rm -rf "$work" "$disk"
exit $failed
