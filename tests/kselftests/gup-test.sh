#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# mm/gup_test, with the calls mm/run_vmtests.sh makes, and fast, basic and
# long-term pins of memory that needs no lease.
set -u
number=0
failed=0

# try ARGUMENTS...: one call of gup_test is one test
try()
{
	number=$((number + 1))
	if /kselftests/gup_test "$@" >/tmp/gup_test 2>&1; then
		echo "ok $number gup_test $*"
	else
		sed 's/^/# /' /tmp/gup_test
		echo "not ok $number gup_test $*"
		failed=1
	fi
}

echo TAP version 13
echo 1..18
try -u
try -a
try -ct -F 0x1 0 19 0x1000
for kind in -U -b -a -u -L; do
	try $kind -m 16 -r 2 -n 512 -T
	try $kind -m 16 -r 2 -n 512 -t
	try $kind -m 16 -r 2 -n 512 -H
done
exit $failed
