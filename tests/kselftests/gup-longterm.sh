#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# mm/gup_longterm pins without a lease.  Off DAX all its cases pass; on DAX those
# that expect a pin of the file in its working directory to work are refused,
# on every Linux, and must go on being refused.
set -u

refused_on_dax='3 8 13 18 23 33'

# failing DIRECTORY: numbers of the cases that fail there, on one line
failing()
{
	(cd "$1" && /kselftests/gup_longterm) >/tmp/gup_longterm 2>&1
	grep '^not ok' /tmp/gup_longterm | sed "s|^|# $1: |" >&2
	grep -q '^1\.\.' /tmp/gup_longterm || echo did not run
	sed -n 's/^not ok \([0-9]*\).*/\1/p' /tmp/gup_longterm | xargs
}

# expect NUMBER DIRECTORY CASES
expect()
{
	got=$(failing "$2")
	if [ "$got" = "$3" ]; then
		echo "ok $1 cases refused in $2: ${3:-none}"
	else
		echo "not ok $1 cases refused in $2: '$got', expected '$3'"
	fi
}

echo TAP version 13
echo 1..4
expect 1 /tmp ''
expect 2 /mnt/ext4-nodax ''
expect 3 /mnt/ext4 "$refused_on_dax"
expect 4 /mnt/xfs "$refused_on_dax"
