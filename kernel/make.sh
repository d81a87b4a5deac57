# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# How a kernel is made from a tree: for kernel/build and packaging/kernel, which
# set $flavour, $source and $build (where the objects go).

# checkout DIR COMMIT: a second work tree of $tree, all of regular files
checkout()
{
	if [ -e "$1/.git" ]; then
		git -C "$1" checkout -q -f --detach "$2"
		return
	fi
	say "checking out ${1##*/}"
	git -C "$tree" worktree prune
	git -C "$tree" worktree add -q --detach "$1" "$2"
}

# Fixed names and dates, and ccache: the same source gives the same kernel, and
# gives it quickly.
environment()
{
	ARCH=x86_64
	KBUILD_BUILD_TIMESTAMP=2024-11-17
	KBUILD_BUILD_USER=flayout
	KBUILD_BUILD_HOST=flayout
	CCACHE_DIR=$cache/ccache
	CCACHE_MAXSIZE=8G
	CCACHE_BASEDIR=$cache
	CCACHE_NOHASHDIR=1
	LOCALVERSION=-$flavour
	export LOCALVERSION
	export ARCH KBUILD_BUILD_TIMESTAMP KBUILD_BUILD_USER KBUILD_BUILD_HOST
	export CCACHE_DIR CCACHE_MAXSIZE CCACHE_BASEDIR CCACHE_NOHASHDIR
	unset MAKEFLAGS MFLAGS MAKELEVEL
}

# An argument CC=... overrules ours.
run_make()
{
	nice make -C "$source" O="$build" CC="ccache gcc" \
		-j"$(nproc)" "$@" 2>&1
}

# progress: of make's lines, one line every few seconds (one that rewrites
# itself on a terminal); warnings and errors go through as they are.
progress()
{
	tty=0
	[ ! -t 2 ] || tty=1
	mawk -W interactive -v flavour="$flavour" -v tty="$tty" '
	function show() {
		t = systime() - begin
		printf "%s%s: %d objects, %d:%02d%s", tty ? "\r" : "", flavour,
			n, t / 60, t % 60, tty ? "" : "\n"
		fflush()
		last = systime()
	}
	BEGIN { begin = last = systime() }
	/^  (CC|AS|LD|AR|HOSTCC|OBJCOPY)/ { n++ }
	/(warning|error|undefined reference|\*\*\*|note):? / { print; fflush() }
	systime() - last >= (tty ? 1 : 10) { show() }
	END { if (n) { show(); if (tty) print "" } }' >&2
}

compile()
{
	rm -f "$build/.status"
	{ run_make "$@" || echo $? >"$build/.status"; } |
		tee "$build/build.log" | progress
	[ ! -e "$build/.status" ] ||
		die "build of $flavour failed; see $build/build.log"
}
