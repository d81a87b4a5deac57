#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The end of a buffer file on a device that cannot take single regions back.
exec without_revoke close_end
