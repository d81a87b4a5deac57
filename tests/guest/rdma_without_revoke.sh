#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What is under way when a file is taken, on a device that cannot take single
# regions back: the core destroys them, and the device has to have let go then.
exec without_revoke rdma_revoke
