# SPDX-License-Identifier: GPL-2.0
# Figures as tables.  Input: KERNEL GROUP SUBJECT OP BYTES NS, one a line.
# Every figure is also a ratio to one named in the heading of its table.

function size(bytes)
{
	if (!bytes)
		return "-"
	if (bytes >= 1048576)
		return bytes / 1048576 " MiB"
	return bytes / 1024 " KiB"
}

function us(ns)
{
	return ns == "" ? "missing" : sprintf("%.1f", ns / 1000)
}

# ratio(NS, REFERENCE): "-" where one of them was not measured
function ratio(ns, reference)
{
	return ns == "" || !reference ? "-" : sprintf("%.3f", ns / reference)
}

function remember(list, seen, count, key)
{
	if (!(key in seen)) {
		seen[key] = 1
		list[++count] = key
	}
	return count
}

{
	ns[$1, $2, $3, $4, $5] = $6
	if ($2 == "register") {
		nr_sizes = remember(sizes, seen_size, nr_sizes, $5)
		nr_memory = remember(memory, seen_memory, nr_memory, $3)
	} else if ($2 == "ring") {
		nr_lengths = remember(lengths, seen_length, nr_lengths, $5)
		nr_buffers = remember(buffers, seen_buffer, nr_buffers, $3)
	} else if ($2 == "truncate") {
		nr_fs = remember(fs, seen_fs, nr_fs, $3)
		truncated = $5
	} else {
		nr_plain = remember(plain, seen_plain, nr_plain, $3 " " $4 " " $5)
	}
}

function print_register(subject, bytes,    reg, dereg)
{
	reg = ns["release", "register", subject, "reg", bytes]
	dereg = ns["release", "register", subject, "dereg", bytes]
	printf "  %-15s %8s %12s %8s %12s %8s\n", subject, size(bytes),
		us(reg), ratio(reg, ns["release", "register", "device-dax", "reg", bytes]),
		us(dereg), ratio(dereg, ns["release", "register", "device-dax", "dereg", bytes])
}

function register_table(    i, j)
{
	print "Registering and deregistering memory with rxe; ratios to device DAX\n"
	printf "  %-15s %8s %12s %8s %12s %8s\n", "memory", "size",
		"reg us", "ratio", "dereg us", "ratio"
	for (j = 1; j <= nr_sizes; j++) {
		for (i = 1; i <= nr_memory; i++)
			print_register(memory[i], sizes[j])
	}
}

function print_truncate(name, op,    t)
{
	t = ns["release", "truncate", name, op, truncated]
	printf "  %-6s %-12s %12s %8s\n", name, op, us(t),
		ratio(t, ns["release", "truncate", name, "unleased", truncated])
}

function truncate_table(    i)
{
	printf "\nTruncating a file of %s that another process maps; ratios to the\n", size(truncated)
	print "unleased one of its file system.  cooperative: until the holder, once told, has"
	print "deregistered and dropped the lease; revoked: lease-break-time is 0, the kernel"
	print "revokes at once.\n"
	printf "  %-6s %-12s %12s %8s\n", "", "holder", "us", "ratio"
	for (i = 1; i <= nr_fs; i++) {
		print_truncate(fs[i], "unleased")
		print_truncate(fs[i], "cooperative")
		print_truncate(fs[i], "revoked")
	}
}

function print_ring(buffer, bytes,    wr, rd)
{
	wr = ns["release", "ring", buffer, "write-fixed", bytes]
	rd = ns["release", "ring", buffer, "read-fixed", bytes]
	printf "  %-15s %8s %12s %8s %12s %8s\n", buffer, size(bytes),
		us(wr), ratio(wr, ns["release", "ring", "anonymous-4k", "write-fixed", bytes]),
		us(rd), ratio(rd, ns["release", "ring", "anonymous-4k", "read-fixed", bytes])
}

function ring_table(    i, j)
{
	print "\nDirect IO of a file on a RAM disk with fixed buffers; ratios to anonymous memory\n"
	printf "  %-15s %8s %12s %8s %12s %8s\n", "buffer", "size",
		"write us", "ratio", "read us", "ratio"
	for (j = 1; j <= nr_lengths; j++) {
		for (i = 1; i <= nr_buffers; i++)
			print_ring(buffers[i], lengths[j])
	}
}

function print_plain(row,    word, ours, theirs)
{
	split(row, word, " ")
	ours = ns["release", "plain", word[1], word[2], word[3]]
	theirs = ns["stock", "plain", word[1], word[2], word[3]]
	printf "  %-14s %-20s %8s %12s %12s %8s\n", word[1], word[2], size(word[3]),
		us(theirs), us(ours), ratio(ours, theirs)
}

function plain_table(    i)
{
	print "\nWithout any lease; ratios to the stock kernel of the same configuration\n"
	printf "  %-14s %-20s %8s %12s %12s %8s\n", "on", "what", "size",
		"stock us", "ours us", "ratio"
	for (i = 1; i <= nr_plain; i++)
		print_plain(plain[i])
}

END {
	print "Guest time is instructions: 1 us = 1000 instructions, no caches, no devices.\n"
	register_table()
	truncate_table()
	ring_table()
	plain_table()
}
