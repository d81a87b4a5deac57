#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Windows on a device that is told to destroy regions to take them back: those
# with windows bound it has to revoke all the same.
exec without_revoke rdma_windows
