# SPDX-License-Identifier: GPL-2.0
#
# The functions that SYNOPSIS sections of manual pages declare, as C has them.

# words LINE: splits the arguments of a macro, which may be quoted, into word[]
function words(line,	n, quoted, i, part)
{
	split("", word)
	n = split(line, part, "\"")
	quoted = 0
	count = 0
	for (i = 1; i <= n; i++) {
		if (quoted)
			word[++count] = part[i]
		else
			count = plain(part[i])
		quoted = !quoted
	}
}

function plain(text,	n, i, part)
{
	n = split(text, part, " ")
	for (i = 1; i <= n; i++)
		word[++count] = part[i]
	return count
}

function declare(from,	i, args)
{
	for (i = from; i <= count; i++)
		args = args (i > from ? ", " : "") word[i]
	print type (type ~ /\*$/ ? "" : " ") name "(" args ")"
}

/^\.Sh/		{ inside = /SYNOPSIS/ }
!inside		{ next }
/^\.Ft/		{ words(substr($0, 5)); type = word[1] }
/^\.Fn/		{ words(substr($0, 5)); name = word[1]; declare(2) }
/^\.Fo/		{ words(substr($0, 5)); name = word[1]; all = "" }
/^\.Fa/		{ all = all substr($0, 5) " " }
/^\.Fc/		{ words(all); declare(1) }
