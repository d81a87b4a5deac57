# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# kernel/tree's other trade: the change as a series of mails, and back.  No
# work tree is needed for it: commits are put together in an index of their own.

#
# export
#

add_new_file()
{
	[ -f "$src/$1" ] || die "kernel/series names +$1, which is not in kernel/src"
	k update-index --add --cacheinfo \
		"100644,$(k hash-object -w "$src/$1"),$1"
}

# commit_mail PATCH PARENT: prints the commit made of the index.
commit_mail()
{
	k mailinfo "$state/msg" "$state/diff" <"$patches/$1" >"$state/info"
	{
		sed -n 's/^Subject: //p' "$state/info"
		echo
		cat "$state/msg"
	} | GIT_AUTHOR_NAME=$(sed -n 's/^Author: //p' "$state/info") \
	    GIT_AUTHOR_EMAIL=$(sed -n 's/^Email: //p' "$state/info") \
	    GIT_AUTHOR_DATE=$mail_date GIT_COMMITTER_DATE=$mail_date \
	    GIT_COMMITTER_NAME=${author% <*} GIT_COMMITTER_EMAIL=flayout@example.org \
	    k commit-tree "$(k write-tree)" -p "$2"
}

commit_series()
{
	mail_date=$(git -C "$top" log -1 --format=%cI 2>/dev/null || :)
	mail_date=${mail_date:-$(date -Iseconds)}
	commit=$(k rev-parse base)
	for p in $(series_names); do
		apply_to_index "$p"
		for f in $(added "$p"); do
			add_new_file "$f"
		done
		commit=$(commit_mail "$p" "$commit")
	done
	echo "$commit" >"$state/commit"
}

# Every new file belongs to exactly one mail.
no_orphans()
{
	all_named 1 >"$state/named"
	dup=$(uniq -d "$state/named")
	[ -z "$dup" ] || die "kernel/series names twice:" $dup
	orphan=$(new_files | comm -23 - "$state/named")
	[ -z "$orphan" ] || die "in kernel/src, but in no line of kernel/series:" $orphan
}

cover_letter()
{
	sed -i -e "s|\*\*\* SUBJECT HERE \*\*\*|$(head -1 "$top/kernel/cover-letter")|" \
		-e "/\*\*\* BLURB HERE \*\*\*/{r $state/blurb
			d}" "$1"
}

commit_change()
{
	no_orphans
	with_index commit_series
}

# export_to DIR: the series as mails in DIR, which holds nothing else then.
export_to()
{
	commit_change
	rm -rf "$1.new"
	sed 1,2d "$top/kernel/cover-letter" >"$state/blurb"
	k -c user.name="${author% <*}" -c user.email=flayout@example.org \
		format-patch -q --cover-letter --no-signature -o \
		"$(absolute "$1.new")" "base..$(cat "$state/commit")"
	cover_letter "$1.new/0000-cover-letter.patch"
	rm -rf "$1"
	mv "$1.new" "$1"
}

absolute()
{
	case $1 in
	/*) echo "$1" ;;
	*)  echo "$PWD/$1" ;;
	esac
}

#
# import
#

# patch_name: of the mail in $state/info: the one that bears its subject, else
# one made of the subject.
patch_name()
{
	subject=$(sed -n 's/^Subject: //p' "$state/info")
	old=$(grep -lxF "Subject: [PATCH] $subject" "$patches"/*.patch 2>/dev/null |
		head -1)
	if [ "$old" ]; then
		basename "$old"
	else
		echo "$subject" | tr 'A-Z' 'a-z' | tr -cs 'a-z0-9\n' - |
			sed 's/-*$/.patch/'
	fi
}

mail_header()
{
	sed -n -e 's/^Author: \(.*\)/From: \1/p' "$state/info" | tr -d '\n'
	sed -n -e 's/^Email: \(.*\)/ <\1>/p' "$state/info"
	printf 'Subject: [PATCH] %s\n\n' "$subject"
	cat "$state/msg"
	echo ---
}

# take_mail FILE: its changes to existing files become a patch, its new files
# files of the source, both below $state/import for now.
take_mail()
{
	before=$(k write-tree)
	k mailinfo "$state/msg" "$state/diff" <"$1" >"$state/info"
	k apply --cached --whitespace=nowarn "$state/diff" ||
		die "$1 does not apply; nothing was changed"
	after=$(k write-tree)
	name=$(patch_name)
	subject=$(sed -n 's/^Subject: //p' "$state/info")
	k diff --name-only --diff-filter=A base "$after" >"$state/new"
	k diff --name-only "$before" "$after" | sort >"$state/touched"
	mine=$(sort "$state/new" | comm -12 - "$state/touched")
	hooks=$(sort "$state/new" | comm -13 - "$state/touched")
	for f in $mine; do
		mkdir -p "$state/import/src/${f%/*}"
		k cat-file blob "$after:$f" >"$state/import/src/$f"
	done
	{
		mail_header
		# shellcheck disable=SC2086
		[ -z "$hooks" ] || k diff base "$after" -- $hooks
	} >"$state/import/patches/$name"
	{
		echo "$name"
		# shellcheck disable=SC2086
		[ -z "$hooks" ] || printf '\t%s\n' $hooks
		# shellcheck disable=SC2086
		[ -z "$mine" ] || printf '\t+%s\n' $mine
	} >>"$state/import/series"
}

take_mails()
{
	for mail in "$1"/[0-9]*.patch; do
		case $mail in */0000-*) continue ;; esac
		[ -f "$mail" ] || die "no mails in $1"
		take_mail "$mail"
	done
}

import_from()
{
	[ -z "$(git -C "$top" status --porcelain -- kernel)" ] ||
		die "kernel/ has changes; commit them before an import replaces it"
	rm -rf "$state/import"
	mkdir -p "$state/import/src" "$state/import/patches"
	grep '^#' "$series" >"$state/import/series" || :
	with_index take_mails "$(absolute "$1")"
	dup=$(grep -v '^#' "$state/import/series" | tr -d '\t+' | sort | uniq -d)
	[ -z "$dup" ] || die "touched by more than one mail:" $dup
	rm -rf "$src" "$patches"
	mv "$state/import/src" "$src"
	mv "$state/import/patches" "$patches"
	mv "$state/import/series" "$series"
	say "imported; see git diff, then kernel/tree prepare"
}
