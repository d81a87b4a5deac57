# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Where things are, for every script of the house.  Source it:
#
#	. "$(dirname "$0")/../kernel/common.sh"
#
# Nothing outside $cache is ever written, except where a target says so.

top=$(CDPATH='' cd -- "$(dirname -- "$0")" &&
	while [ ! -e kernel/common.sh ] && [ "$PWD" != / ]; do cd ..; done; pwd)
cache=${FLAYOUT_CACHE:-$HOME/.cache/flayout}
src=$top/kernel/src		# new kernel files, at their final paths
patches=$top/kernel/patches	# hooks into existing files
series=$top/kernel/series
tree=$cache/linux		# the kernel we work on: base + patches + links
stock=$cache/linux-stock	# the kernel we started from
headers=$cache/headers		# <linux/...> for user space, of our tree
out=$cache/out			# everything else that is built

say()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die()
{
	say "$*"
	exit 1
}

# tracked: prints the files of the repository that are there, edits included; a
# copy without git has nothing else.
tracked()
{
	(cd "$top" && {
		git ls-files 2>/dev/null ||
			find . -type f ! -path './.git/*' | sed 's|^\./||'
	} | while read -r f; do
		[ ! -f "$f" ] || echo "$f"
	done)
}

# as_root COMMAND...: runs it as root, through sudo if need be.
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# want_packages PACKAGE...: installs those that are missing.
want_packages()
{
	missing=
	for wanted; do
		dpkg-query -W -f '${Status}' "$wanted" 2>/dev/null |
			grep -q ' installed$' || missing="$missing $wanted"
	done
	[ "$missing" ] || return 0
	say "installing$missing"
	# shellcheck disable=SC2086
	{
		as_root apt-get update -qq &&
		as_root env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $missing
	} >"$cache/apt.log" 2>&1 || {
		tail -5 "$cache/apt.log" >&2
		die "cannot install$missing; see $cache/apt.log"
	}
}

mkdir -p "$cache"
