#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# filelock/ofdlocks as one test.
echo TAP version 13
echo 1..1
cd /mnt/ext4 || exit 1
if /kselftests/ofdlocks >/tmp/ofdlocks 2>&1; then
	echo ok 1 ofdlocks
else
	sed 's/^/# /' /tmp/ofdlocks
	echo not ok 1 ofdlocks
fi
