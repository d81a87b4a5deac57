# SPDX-License-Identifier: GPL-2.0
#
# Reads the output of tests (TAP, between the marks of in-guest.sh) and prints a
# line for each program, and whatever explains a failure.  A program that does
# not keep its plan, fails without saying where, or never ends has failed.
#
# -v sums=FILE	where "passed failed skipped" goes
# -v wanted=NAMES	programs that must appear

function begin(program)
{
	name = program
	plan = -1
	pass = fail = skip = 0
	forget()
}

# The notes of one test are kept until it is known whether they matter: the
# first 40, for a test may complain in a loop.
function forget()
{
	notes = ""
	noted = 0
}

function problem(text)
{
	fail++
	printf "not ok %s: %s\n", name, text
}

function explain(line)
{
	printf "%s\n", notes
	printf "not ok %s: %s\n", name, line
	forget()
}

function end(status, seconds)
{
	seen = pass + fail + skip
	if (status == 124 || status == 137)
		problem("stopped: it took longer than it may")
	else if (plan < 0)
		problem("no plan, exit status " status)
	else if (status != 0 && !fail)
		problem("exit status " status ", though no test failed")
	if (plan > seen)
		problem((plan - seen) " of " plan " tests did not run")
	if (fail && notes != "")
		print notes
	printf "%-28s %3d passed, %d failed, %d skipped  (%s s)\n",
		name, pass, fail, skip, seconds
	fflush()
	passed += pass
	failed += fail
	skipped += skip
	done[name] = 1
	name = ""
}

{ sub(/\r$/, "") }

/^#> begin / { begin($3); next }
/^#> end / { end($4, $5); next }
/^#> leftout / {
	printf "##### NOT DONE: %s, as there is no time left.  It counts as skipped.\n", $3
	skipped++
	done[$3] = 1
	next
}
/^#> problem / {
	sub(/^#> problem [^ ]* /, "")
	problem($0)
	next
}
name == "" { print; fflush(); next }
/^1\.\.[0-9]+/ { plan = substr($1, 4) + 0; next }
/^ok [0-9]+.*# *(SKIP|XFAIL)/ { skip++; forget(); next }
/^ok [0-9]+/ { pass++; forget(); next }
/^not ok [0-9]+/ { fail++; explain($0); next }
/^# +RUN|^# +OK|^# Starting|^# (PASSED|FAILED|Totals|skipped)|^TAP version/ { next }
noted++ < 40 { notes = notes (notes == "" ? "" : "\n") "    " $0 }

END {
	if (name != "") {
		problem("the guest ended while it ran")
		end(1, "?")
	}
	n = split(wanted, names, " ")
	for (i = 1; i <= n; i++)
		if (!(names[i] in done)) {
			printf "not ok %s: did not run\n", names[i]
			failed++
		}
	print passed + 0, failed + 0, skipped + 0 >sums
}
