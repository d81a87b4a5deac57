#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The guest's half of tests/run: runs programs one after the other, each in a
# control group of its own, so that nothing of one is left when the next begins.
# Marks their begin and end in its output ("#>") and in the kernel's log.
#
# usage: run-tests NAME:SECONDS...
#
# FLAYOUT_BUDGET: seconds of uptime after which no test is begun any more.
set -u
group=/sys/fs/cgroup/test

# It empties file systems between tests: never outside the guest.
[ -d /sys/firmware/qemu_fw_cfg/by_name/opt/flayout ] || {
	echo 'run-tests: not the guest of vm/run' >&2
	exit 125
}

program()
{
	case $1 in
	*/*)	echo "/$1" ;;
	*)	echo "/tests/$1" ;;
	esac
}

mark()
{
	echo "#> $*"
	echo "flayout-test: $*" >/dev/kmsg
}

# gone COMMAND...: waits up to 10 s until the command prints nothing
gone()
{
	for _ in $(seq 50); do
		[ -n "$("$@" 2>/dev/null)" ] || return 0
		sleep 0.2
	done
	return 1
}

# One who survives SIGKILL hangs in the kernel: that is a failure.
kill_rest()
{
	echo 1 >$group/cgroup.kill
	gone cat $group/cgroup.procs ||
		mark "problem $1 cannot be killed: $(names | xargs)"
}

names()
{
	while read -r pid; do
		echo "$pid:$(cat "/proc/$pid/comm"):$(cut -d ' ' -f 3 "/proc/$pid/stat")"
		sed 's/^/# /' "/proc/$pid/stack" >&2
	done <$group/cgroup.procs
}

# Without its processes a program has neither leases nor pins.
no_leases()
{
	[ -r /proc/layout_leases ] || return 0
	gone cat /proc/layout_leases ||
		mark "problem $1 left behind: $(head -1 /proc/layout_leases)"
}

# An NFS server that was left behind keeps a file system busy.  To stop one that
# does not run would start it first.
no_server()
{
	threads=/proc/fs/nfsd/threads
	! mountpoint -q /run/nfs || umount -l /run/nfs
	[ ! -e $threads ] || [ "$(cat $threads)" = 0 ] || echo 0 >$threads
}

tidy()
{
	no_server
	echo 45 >/proc/sys/fs/lease-break-time
	echo 1 >/proc/sys/fs/leases-enable
	echo 16 >/proc/sys/vm/nr_hugepages
	rm -rf /mnt/*/* /tmp/* 2>/dev/null
}

# The group is entered before the program begins, so that it cannot get away.
run_in_group()
{
	echo 0 >$group/cgroup.procs
	cd /tmp || exit 1
	exec timeout -k 5 "$2" "$(program "$1")"
}

# no_time: would a test that begins now perhaps not end in time?
no_time()
{
	[ "${FLAYOUT_BUDGET-}" ] || return 1
	[ "$(cut -d . -f 1 /proc/uptime)" -ge "$FLAYOUT_BUDGET" ]
}

run()
{
	if no_time; then
		mark "leftout $1"
		return
	fi
	mark "begin $1"
	began=$(date +%s)
	if [ -x "$(program "$1")" ]; then
		(run_in_group "$1" "$2")
		status=$?
	else
		echo "# no $(program "$1") in the guest"
		status=127
	fi
	kill_rest "$1"
	no_leases "$1"
	tidy
	mark "end $1 $status $(($(date +%s) - began))"
}

mkdir -p $group
for test; do
	run "${test%:*}" "${test##*:}"
done
