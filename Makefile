# SPDX-License-Identifier: GPL-2.0
#
# Every target does all the set-up it needs on a bare Debian 12; what is built
# is kept in $FLAYOUT_CACHE (default: ~/.cache/flayout).  "make help" lists them.

FLAYOUT_CACHE ?= $(HOME)/.cache/flayout
export FLAYOUT_CACHE

OUT	:= $(FLAYOUT_CACHE)/out
KHDR	:= $(FLAYOUT_CACHE)/headers/include
# directories whose programs go into the guest, those that are there
PARTS	:= $(patsubst %/Makefile,%,$(wildcard lib/Makefile tool/Makefile \
	   examples/Makefile demo/Makefile bench/Makefile tests/Makefile))
FLAVOUR ?= release

all: help

help:
	@echo 'make demo          the whole story, played in a virtual machine'
	@echo 'make test          all tests'
	@echo 'make test-debug    the same on a kernel with KASAN, lockdep and friends'
	@echo 'make bench         benchmarks, in a table'
	@echo 'make shell         a shell in the virtual machine (FLAVOUR=debug ...)'
	@echo 'make install       library, tool, manual pages (DESTDIR, PREFIX); builds no kernel'
	@echo 'make pictures      draws those of docs/ anew'
	@echo 'make kernel        builds the kernel'
	@echo 'make print-kernel  builds it, and prints the path of the bzImage (with -s)'

setup:
	@vm/setup

kernel:
	@kernel/build $(FLAVOUR)

print-kernel:
	@kernel/build $(FLAVOUR)

headers: setup
	@kernel/build headers >/dev/null

programs: $(addprefix program-,$(PARTS))

# these link it
program-tests program-examples: program-lib

program-%: headers
	@$(MAKE) -s -C $* OUT=$(OUT)/$* KHDR=$(KHDR)

demo: programs
	@kernel/build release >/dev/null
	@vm/run --kernel release --timeout 900 -- flayout-demo

test:
	@tests/run release

test-debug:
	@tests/run debug

bench: programs
	@kernel/build release >/dev/null
	@kernel/build stock >/dev/null
	@bench/run

shell: programs
	@kernel/build $(FLAVOUR) >/dev/null
	@vm/run --kernel $(FLAVOUR) --shell

pictures: programs
	@kernel/build release >/dev/null
	@docs/pictures/draw --demo

# What users get.  It needs no kernel and no kernel's headers but our own one.
DESTDIR	?=
PREFIX	?= /usr/local
MANDIR	?= $(PREFIX)/share/man
UAPI	:= $(CURDIR)/kernel/src/include/uapi
COMPLETION := $(wildcard tool/completion/*)

# install_man SECTION: 2const too lies in man2
install_man = install -d $(DESTDIR)$(MANDIR)/man$1 && \
	install -m 644 $(wildcard man/*.$1*) $(DESTDIR)$(MANDIR)/man$1

install:
	@vm/setup user
	@$(MAKE) -s -C lib install OUT=$(OUT)/lib KHDR=$(UAPI) DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)
	@$(MAKE) -s -C tool OUT=$(OUT)/tool KHDR=$(UAPI)
	@install -D -m 755 $(OUT)/tool/flayout $(DESTDIR)$(PREFIX)/bin/flayout
	@$(foreach s,1 2 3 4 5 6 7 8,$(if $(wildcard man/*.$s*),$(call install_man,$s) &&)) :
ifneq ($(COMPLETION),)
	@install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	@install -m 644 $(COMPLETION) $(DESTDIR)$(PREFIX)/share/bash-completion/completions
endif

.PHONY: all help setup kernel print-kernel headers programs demo test \
	test-debug bench shell pictures install
