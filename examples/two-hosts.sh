#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# two-hosts: the guests' half of demo-two-hosts.
#
#   two-hosts play [ext4|xfs]...   on host 1, the server's, which directs; both by default
#   two-hosts wait                 on host 2, the clients', which does what it is told
#
# Host 1 sends shell commands, one a connection, and is answered with their exit
# status.  What they print is seen where they run.  Lines that begin with @ are
# no host's: they tell the story.
set -u

MB=1048576
SIZE=64			# MB of the file
HALF=$((SIZE / 2))
DATA=$((4 * MB))	# bytes a client writes in the first scene
BREAK_TIME=2		# seconds for who ignores a break
PATIENCE=60		# seconds until an answer is given up
SERVER=10.79.0.1
CLIENT=10.79.0.2
PORT=7000		# of the commands
WORK=/tmp/two-hosts
sysctl=/proc/sys/fs/lease-break-time
failed=0

#
# Both hosts
#

say() { printf '@%s\n' "$*"; }

# data: bytes that both hosts know
data() { seq 1 1000000 | head -c $DATA; }

# soon COMMAND...: waits until it succeeds
soon()
{
	for _ in $(seq $((PATIENCE * 10))); do
		! "$@" || return 0
		sleep 0.1
	done
	return 1
}

# run COMMAND: shows it, and does it
run()
{
	echo "\$ $1"
	eval "$1"
}

# spawn NAME COMMAND: shows it, and leaves it running; what it says is kept
spawn()
{
	echo "\$ $2"
	rm -f "$WORK/$1.pipe"
	mkfifo "$WORK/$1.pipe"
	tee "$WORK/$1" <"$WORK/$1.pipe" 3>&- &
	# shellcheck disable=SC2086 # words
	$2 >"$WORK/$1.pipe" 2>&1 </dev/null 3>&- &
	echo $! >"$WORK/$1.pid"
}

# stop NAME: asks it to end, and waits
stop()
{
	pid=$(cat "$WORK/$1.pid")
	kill "$pid" 2>/dev/null
	soon ended "$pid" || kill -9 "$pid"
}

ended() { ! kill -0 "$1" 2>/dev/null; }
said() { grep -q "$2" "$WORK/$1"; }

# writes: the client wrote something in the last second, after all else it said
writes() { tail -n 1 "$WORK/client" | grep -q '^[1-9][0-9]* writes in'; }

#
# Host 2: see "far" for what it is asked
#

obey()
{
	read -r command
	: >"$WORK/asked"
	# fd 3 is host 1; what commands print is for the people
	exec 3>&1 >&2
	eval "$command" </dev/null
	echo $? >&3
}

# Until it is told to quit, or host 1 has died.
wait_for_commands()
{
	data >"$WORK/data"
	nc -ll -p $PORT -e "$0" obey &
	soon test -e "$WORK/asked" || { echo 'host 1 does not ask'; return 1; }
	while [ ! -e "$WORK/quit" ]; do
		sleep 0.2
		[ -z "$(find "$WORK/asked" -mmin +2)" ] || { echo 'host 1 is gone'; return 1; }
	done
	kill $!
}

quit() { : >"$WORK/quit"; }

#
# Host 1
#

# far COMMAND: it succeeds on the other host
far() { [ "$(echo "$*" | nc -w 5 $CLIENT $PORT 2>/dev/null)" = 0 ]; }

heading() { say ''; say "=== $* ==="; }
scene() { scene=$((scene + 1)); say ''; say "$scene. $*"; }

# check TEXT COMMAND...: one step of the story, which holds if COMMAND succeeds
check()
{
	text=$1
	shift
	if "$@"; then
		result='ok     '
	else
		result='FAILED '
		failed=$((failed + 1))
	fi
	sleep 0.5	# what the other host has said by now comes first
	say "  $result $text"
}

# serve [OPTION]: a server on a new file
serve()
{
	rm -f "$file"
	dd if=/dev/zero of="$file" bs=1M count=$SIZE conv=fsync 2>/dev/null
	spawn server "dax-rdma-server${1:+ $1} $SERVER $file"
	check "the server leases the file and registers it: $SIZE MB" \
		soon said server "^serving $((SIZE * MB)) bytes"
}

# begin_loop: a client that writes all the time
begin_loop()
{
	far "spawn client 'dax-rdma-client $SERVER loop'"
	check "a client writes to it all the time" far soon writes
}

# end_loop ERRORS: it ends, having seen so many
end_loop()
{
	far stop client
	check "its errors: $1; what it read back was as it had written it" \
		far soon said client "'; errors: $1; not as written: 0'"
	stop server
}

# cut_file: truncates the file to half of its size; $took: milliseconds
cut_file()
{
	began=$(up_ms)
	run "xfs_io -c 'truncate ${HALF}m' $file"
	took=$(($(up_ms) - began))
}

up_ms() { sed 's/\([0-9]*\)\.\([0-9]*\) .*/\1\20/' /proc/uptime; }
took_ms() { [ "$took" -ge "$1" ] && [ "$took" -le "$2" ]; }
has_mb() { [ "$(stat -c %s "$file")" = $(($1 * MB)) ]; }
begins_with_data() { head -c $DATA "$file" | cmp -s - "$WORK/data"; }
has_value() { [ "$(od -An -tx8 -j "$1" -N 8 "$file" | tr -d ' ')" = "$2" ]; }

scene_remote()
{
	scene "A file for another host"
	serve
	check "the client writes $((DATA / MB)) MB into it" \
		far run "'dax-rdma-client $SERVER write 0 <$WORK/data'"
	check "they are in the file on the server, which did nothing for it" begins_with_data
	check "the client reads them back" \
		far run "'dax-rdma-client $SERVER read 0 $DATA | cmp - $WORK/data'"
	check "it has them made durable" far run "'dax-rdma-client $SERVER flush 0 $DATA'"
	check "it writes 8 bytes at once" \
		far run "'dax-rdma-client $SERVER atomic-write 8192 0x1122334455667788'"
	check "which are there" has_value 8192 1122334455667788
	stop server
}

scene_cooperative()
{
	scene "A server that listens: truncate asks, and succeeds"
	serve
	begin_loop
	cut_file
	check "the truncate took $took ms; the server had $(cat $sysctl) s" took_ms 0 10000
	check "the file has $HALF MB" has_mb $HALF
	check "the client was asked to stop" far soon said client "'asks me to stop'"
	check "it was told of the shorter file" \
		far soon said client "'there: $((HALF * MB)) bytes'"
	check "and goes on writing" far soon writes
	end_loop 0
}

scene_deaf()
{
	scene "A server that ignores the break: its time runs out"
	old=$(cat $sysctl)
	run "sysctl -q fs.lease-break-time=$BREAK_TIME"
	serve -i
	begin_loop
	cut_file
	check "the truncate took $took ms: the $BREAK_TIME s that the server had" \
		took_ms $((BREAK_TIME * 1000 - 100)) $((BREAK_TIME * 1000 + 8000))
	check "the file has $HALF MB" has_mb $HALF
	check "the client's write failed with a remote access error" \
		far soon said client "'remote access error'"
	check "the server takes the lease again" soon said server '^the lease is back'
	check "the client connects again, and writes to the shorter file" far soon writes
	end_loop 1
	echo "$old" >$sysctl
}

scene_revoke()
{
	scene "An administrator revokes the lease"
	serve
	begin_loop
	run "flayout list $file"
	check "the lease can be revoked" run "flayout revoke $file"
	check "the server is told" soon said server '^revoked'
	check "the client's write failed with a remote access error" \
		far soon said client "'remote access error'"
	check "the server takes the lease again" soon said server '^the lease is back'
	check "the client connects again, and writes to the file" far soon writes
	check "the file is as long as it was" has_mb $SIZE
	end_loop 1
}

play()
{
	[ $# -gt 0 ] || set -- ext4 xfs
	data >"$WORK/data"
	check "the other host answers" soon far true
	for fs; do
		scene=0
		file=/mnt/$fs/export
		heading "$fs on persistent memory (DAX); RDMA between two hosts (soft-RoCE)"
		scene_remote
		scene_cooperative
		scene_deaf
		scene_revoke
		rm -f "$file"
	done
	far quit
	say ''
	[ $failed = 0 ] || { say "$failed steps FAILED"; return 1; }
	say "Every step held."
}

mkdir -p $WORK
command=$1
shift
case $command in
play)	play "$@" ;;
wait)	wait_for_commands ;;
obey)	obey ;;
esac
