# SPDX-License-Identifier: GPL-2.0
# Figures as JSON.  Input: KERNEL GROUP SUBJECT OP BYTES NS, one a line.

BEGIN { printf "[" }
{
	printf "%s\n  { \"kernel\": \"%s\", \"group\": \"%s\", \"subject\": \"%s\",",
		(NR > 1 ? "," : ""), $1, $2, $3
	printf " \"op\": \"%s\", \"bytes\": %s, \"ns\": %s }", $4, $5, $6
}
END { print "\n]" }
