#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A device whose driver cannot take a single region back: rxe, with its
# revoke_user_mr switched off, so that the core destroys the region and keeps
# the handle.  Runs the program named, which must find the same behaviour.
# Speaks TAP, as the program does.
#
#	without_revoke [PROGRAM]	default: revoke
set -eu

switch=/sys/module/rdma_rxe/parameters/mr_revoke

restore()
{
	echo Y >$switch
}

trap restore EXIT
echo N >$switch
[ "$(cat $switch)" = N ] || { echo "Bail out! $switch does not switch"; exit 1; }
"${1-revoke}"
