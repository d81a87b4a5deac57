# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What all packages have in common; sourced after kernel/common.sh.

debdir=${DEBDIR:-$cache/deb}

# The version of the project: that of the library, and of the packages.
version()
{
	dpkg-parsechangelog -l "$top/packaging/debian/changelog" -S Version
}

# hand_over DIR: the packages of DIR go where they were asked for
hand_over()
{
	mkdir -p "$debdir"
	for f in "$1"/*.deb; do
		mv "$f" "$debdir/"
		echo "$debdir/${f##*/}"
	done
	mv "$1"/*.changes "$1"/*.buildinfo "$debdir/"
}
