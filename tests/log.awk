# SPDX-License-Identifier: GPL-2.0
#
# Reads the kernel's log.  Whatever the kernel complains of is a failure of the
# program that was running; KUnit's results at boot are tests like others.
#
# -v sums=FILE	where "passed failed skipped" goes
# -v kunit=1	KUnit results must be there
# -v races=FILE	names of functions; data races in which none of them takes part,
#		the kernel has many, are counted and are nobody's failure

function complain(line)
{
	if (!(context in complaints))
		printf "not ok %s: the kernel's log says\n", context
	if (complaints[context]++ == 0)
		failed++
	if (complaints[context] <= 40)
		print "    " line
}

# "... data-race in one+0x12/0x34 / other.isra.0": is one of them in the list?
function races_of_ours(line,	n, names, i)
{
	sub(/.*data-race in /, "", line)
	n = split(line, names, " ")
	for (i = 1; i <= n; i++) {
		sub(/[+.].*/, "", names[i])
		if (names[i] in ours)
			return 1
	}
	return 0
}

BEGIN {
	context = "boot"
	while (races != "" && (getline name <races) > 0) {
		sub(/\..*/, "", name)
		ours[name]
	}
}

{ sub(/\r$/, ""); line = $0; sub(/^\[ *[0-9.]+\] ?/, "") }

/^flayout-test: begin / { context = $3; trace = 0; next }
/^flayout-test: end / { context = "after " $3; trace = 0; next }

# KTAP: suites at the left, their cases indented by four
/^KTAP version/ { in_kunit = 1; next }
in_kunit && /^    ok [0-9]+ .*# SKIP/ { skipped++; next }
in_kunit && /^    ok [0-9]+ / { passed++; cases++; next }
in_kunit && /^    not ok [0-9]+ / {
	failed++
	cases++
	print "not ok kunit: " $0
	next
}
in_kunit && /^ +# / && /EXPECTATION FAILED|ASSERTION FAILED|Expected/ { print "    " $0 }

races != "" && /BUG: KCSAN: data-race in / && !races_of_ours(line) {
	foreign_races++
	trace = 0
	next
}

/BUG:|WARNING:|kernel BUG at|Oops[: ]|general protection fault|UBSAN:|KASAN:|KCSAN:/ ||
/INFO: task .* blocked|detected stalls|self-detected stall|soft lockup|hard LOCKUP/ ||
/possible (recursive|circular|irq lock|deadlock)|inconsistent lock state|suspicious RCU/ ||
/INFO: trying to register non-static key|lockdep.*(turning off|too low)/ ||
/bad unlock balance|held lock freed|ODEBUG:|refcount_t:|list_(add|del).*corruption/ ||
/Bad page state|bad rss-counter|leaked percpu|sleeping function called|Call Trace:/ ||
/unregister_netdevice: waiting|Kernel panic|DEBUG_LOCKS_WARN_ON|stack-protector/ {
	complain(line)
	trace = 40
	next
}
# what follows a complaint explains it
trace > 0 { trace--; complain(line) }

END {
	if (kunit && !cases) {
		print "not ok kunit: no unit test ran at boot"
		failed++
	} else if (cases) {
		printf "%-28s %3d passed (at boot)\n", "kunit", passed
	}
	if (foreign_races)
		printf "%-28s %3d data races in code that is not ours\n", "kcsan", foreign_races
	print passed + 0, failed + 0, skipped + 0 >sums
}
