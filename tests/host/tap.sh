# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# TAP for tests that are shell functions: check FUNCTION runs one, in a subshell
# that must succeed; what it prints is shown if it does not.
tap_number=0

plan()
{
	echo TAP version 13
	echo "1..$1"
}

# check FUNCTION [ARGUMENT...]
check()
{
	tap_number=$((tap_number + 1))
	if tap_output=$("$@" 2>&1); then
		echo "ok $tap_number $*"
	else
		echo "$tap_output" | sed 's/^/# /'
		echo "not ok $tap_number $*"
	fi
}
