# SPDX-License-Identifier: GPL-2.0
#
# The command lines of a guide, and what it shows below them.  They stand in
# blocks that begin with ```console; a command line begins with a prompt, one
# that ends in \ goes on in the next.
#
# -v prompt=P	only those with this prompt: "#" in the guest, "$" outside
# -v dir=DIR	command N goes into DIR/N.command, its output into DIR/N.shown, the
#		number of its line in the guide into DIR/N.line
#
# Prints how many there are.

function put(text)
{
	print text >(dir "/" n (command ? ".command" : ".shown"))
}

/^```/ {
	inside = $0 == "```console"
	current = command = 0
	next
}

!inside { next }

command {
	put($0)
	command = /\\$/
	next
}

/^[#$] / {
	current = substr($0, 1, 1) == prompt
	if (!current)
		next
	n++
	print FNR >(dir "/" n ".line")
	printf "" >(dir "/" n ".shown")
	command = 1
	put(substr($0, 3))
	command = /\\$/
	next
}

current { put($0) }

END { print n + 0 }
