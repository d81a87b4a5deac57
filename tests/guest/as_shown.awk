# SPDX-License-Identifier: GPL-2.0
#
# Is an output (the second file) what a guide shows (the first)?
#
# - A number may be another one, unless it is a count of bytes: a multiple of
#   4096, and 1 MiB at least.
# - Blanks are blanks, however many.
# - A line "..." stands for any lines, also none; "..." in a line for any text.
#
# Exit status 1, and the first line that is missing, if it is not.

function number(text)
{
	return text >= 1048576 && text % 4096 == 0 ? text : "N"
}

function plain(line,	out)
{
	gsub(/0x[0-9a-f]+/, "N", line)
	gsub(/[ \t]+/, " ", line)
	sub(/^ /, "", line)
	sub(/ $/, "", line)
	while (match(line, /[0-9]+/)) {
		out = out substr(line, 1, RSTART - 1) number(substr(line, RSTART, RLENGTH))
		line = substr(line, RSTART + RLENGTH)
	}
	return out line
}

# The pieces between "...": one after the other, the first and the last in place.
function line_fits(want, got,	n, piece, i, at)
{
	n = split(want, piece, /\.\.\./)
	if (n < 2)
		return want == got
	if (substr(got, 1, length(piece[1])) != piece[1])
		return 0
	got = substr(got, length(piece[1]) + 1)
	for (i = 2; i < n; i++) {
		at = index(got, piece[i])
		if (!at)
			return 0
		got = substr(got, at + length(piece[i]))
	}
	at = length(got) - length(piece[n])
	return at >= 0 && substr(got, at + 1) == piece[n]
}

# Do the shown lines from i on fit those of the output from j on?
function fits(i, j)
{
	if (i > shown)
		return j > real
	if (want[i] == "...") {
		while (j <= real + 1 && !fits(i + 1, j))
			j++
		return j <= real + 1
	}
	if (j <= real && line_fits(want[i], got[j]) && fits(i + 1, j + 1))
		return 1
	if (i > worst)
		worst = i
	return 0
}

FILENAME == ARGV[1] { want[++shown] = plain($0); next }
		    { got[++real] = plain($0) }

END {
	if (!fits(1, 1)) {
		print worst ? "not there: " want[worst] : "more than is shown"
		exit 1
	}
}
