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
	@echo 'make demo-two-hosts  a server on one machine, its clients on another'
	@echo 'make test          all tests'
	@echo 'make test-debug    the same on a kernel with KASAN, lockdep and friends'
	@echo 'make bench         benchmarks, in a table'
	@echo 'make shell         a shell in the virtual machine (FLAVOUR=debug ...)'
	@echo 'make install       library, tool, manual pages (DESTDIR, PREFIX, LIBDIR ...); builds no kernel'
	@echo 'make deb           Debian packages of all (deb-user, deb-kernel; DEBDIR, KCONFIG)'
	@echo 'make patches       the change as mails for git am (DIR)'
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

demo-two-hosts: programs
	@kernel/build release >/dev/null
	@examples/demo-two-hosts

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
BINDIR	?= $(PREFIX)/bin
LIBDIR	?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR	?= $(PREFIX)/share/man
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
UAPI	:= $(CURDIR)/kernel/src/include/uapi
COMPLETION := $(wildcard tool/completion/*)
# what installs the packages to build with; a package's build has them
SETUP	?= vm/setup user
SILENT	?= -s

user:
	@$(SETUP)
	@$(MAKE) $(SILENT) -C lib OUT=$(OUT)/lib KHDR=$(UAPI)
	@$(MAKE) $(SILENT) -C tool OUT=$(OUT)/tool KHDR=$(UAPI)

# install_man SECTION: 2const too lies in man2
install_man = install -d $(DESTDIR)$(MANDIR)/man$1 && \
	install -m 644 $(wildcard man/*.$1*) $(DESTDIR)$(MANDIR)/man$1

install: user
	@$(MAKE) $(SILENT) -C lib install OUT=$(OUT)/lib KHDR=$(UAPI) DESTDIR=$(DESTDIR) \
		PREFIX=$(PREFIX) LIBDIR=$(LIBDIR) INCLUDEDIR=$(INCLUDEDIR)
	@install -D -m 755 $(OUT)/tool/flayout $(DESTDIR)$(BINDIR)/flayout
	@$(foreach s,1 2 3 4 5 6 7 8,$(if $(wildcard man/*.$s*),$(call install_man,$s) &&)) :
ifneq ($(COMPLETION),)
	@install -d $(DESTDIR)$(COMPLETIONDIR)
	@install -m 644 $(COMPLETION) $(DESTDIR)$(COMPLETIONDIR)
endif

# Debian packages.  DEBDIR: where to; the kernel's from KCONFIG, DEBUG_INFO=1
# keeps debug information.
export DEBDIR KCONFIG DEBUG_INFO

deb: deb-user deb-kernel

deb-user:
	@packaging/user

deb-kernel:
	@packaging/kernel

DIR ?= $(FLAYOUT_CACHE)/patches

patches: setup
	@kernel/tree export $(DIR)
	@echo $(DIR)

.PHONY: all help setup kernel print-kernel headers programs demo demo-two-hosts \
	test test-debug bench shell user install deb deb-user deb-kernel patches pictures
