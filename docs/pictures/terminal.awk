# SPDX-License-Identifier: GPL-2.0
#
# Text as a terminal shows it, as SVG.
#
# -v title=TEXT	in the window's bar

function escape(text)
{
	gsub(/&/, "\\&amp;", text)
	gsub(/</, "\\&lt;", text)
	gsub(/>/, "\\&gt;", text)
	return text
}

function colour(text)
{
	if (text ~ /^=== |^[0-9]+\. /)
		return "#ffffff"
	if (text ~ /FAILED/)
		return "#ff6b6b"
	if (text ~ /^ *ok /)
		return "#8fdc8f"
	if (text ~ /^ *\|/)
		return "#9fc5f8"
	return "#d0d0d0"
}

{
	gsub(/\t/, "        ")
	line[NR] = $0
	if (length($0) > width)
		width = length($0)
}

END {
	w = width * 7.3 + 32
	h = NR * 16 + 56
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n", w, h, w, h
	printf "<rect width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#1e1e1e\"/>\n", w, h
	printf "<text x=\"16\" y=\"24\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#a0a0a0\">%s</text>\n", escape(title)
	print "<g font-family=\"DejaVu Sans Mono,Menlo,Consolas,monospace\" font-size=\"12\" xml:space=\"preserve\">"
	for (i = 1; i <= NR; i++)
		if (line[i] != "")
			printf "<text x=\"16\" y=\"%d\" fill=\"%s\">%s</text>\n", 44 + i * 16, colour(line[i]), escape(line[i])
	print "</g>\n</svg>"
}
