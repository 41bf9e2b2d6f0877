# SPDX-License-Identifier: GPL-2.0
# make            the module for this machine's kernel, the controller, the tests
# make demo       the demo, in a guest
# make check      all tests on all kernels; TESTS=PATTERN KERNELS="native 6.1 6.12 7.2 arm64 debug"
# make bench      the benchmarks, in a guest, and of overrides on this machine
# make fuzz       what comes from outside, changed at random, for SECONDS each
# make arm64      all of it for arm64 hubs, in build/arm64/
# make coverage   which lines of the module the tests run, in a guest
# make lint       what tools can say of the sources
# make sanitized  the controller and its tests with the sanitizers' checks, in build/sanitized/
# make install    into DESTDIR, below PREFIX
# make packages   Debian packages, in build/packages/
#
# What is built is in build/, what is downloaded in .cache/.

BUILD := $(CURDIR)/build
PREFIX ?= /usr/local
DESTDIR ?=
TESTS ?=
KERNELS ?=

# The running kernel's headers or, where another one runs, those of the latest
# kernel that there are headers of.
KERNEL_BUILD ?= $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) \
		  $(lastword $(sort $(wildcard /lib/modules/*/build))))

module_sources := Kbuild $(shell find kmod include -name '*.[ch]')
areas := $(patsubst selftests/%/Makefile,%,$(wildcard selftests/*/Makefile))

all: module bpf ctl selftests

deps:
	@scripts/deps

# In a copy, so that the compiler's leavings are all in build/.
module: $(BUILD)/kmod/coppice.ko
$(BUILD)/kmod/coppice.ko: $(module_sources)
	@test -n "$(KERNEL_BUILD)" || { echo "no kernel headers: run scripts/deps" >&2; exit 1; }
	mkdir -p $(@D)
	rsync -rlt --delete --exclude='.*' --exclude='*.o' --exclude='*.ko' --exclude='*.mod*' \
		--exclude=modules.order --exclude=Module.symvers Kbuild kmod include $(@D)/
	$(MAKE) -C $(KERNEL_BUILD) M=$(@D) modules
	touch $@

bpf:
	$(MAKE) -C bpf BUILD=$(BUILD)

ctl: bpf
	$(MAKE) -C ctl BUILD=$(BUILD) PREFIX=$(PREFIX)

selftests: $(areas:%=selftests/%)
$(areas:%=selftests/%): ctl
	$(MAKE) -C $@ BUILD=$(BUILD)

check: deps
	$(MAKE) -j$(shell nproc) all $(filter arm64,$(KERNELS))
	selftests/harness --tests '$(TESTS)' --kernels $(KERNELS)

# The fuzzers are programs of this machine's compiler, and what vm has is for this machine.
arm64:
	@scripts/deps arm64
	root=$$(scripts/root arm64) && kernel=$$(scripts/kernel arm64) && \
	export PKG_CONFIG_SYSROOT_DIR=$$root PKG_CONFIG_LIBDIR=$$root/usr/lib/aarch64-linux-gnu/pkgconfig && \
	$(MAKE) all BUILD=$(BUILD)/arm64 KERNEL_BUILD=$$kernel/build CROSS_COMPILE=aarch64-linux-gnu- \
		CC="aarch64-linux-gnu-gcc --sysroot=$$root" AR=aarch64-linux-gnu-ar \
		areas="$(filter-out fuzz vm,$(areas))"

SECONDS ?= 60
FUZZ_KERNEL ?= debug
fuzz: deps
	$(MAKE) -j$(shell nproc) all
	selftests/fuzz/fuzz_test $(SECONDS)
	COPPICE_OUT=$(CURDIR)/.cache/fuzz/kernel selftests/vm/run -k $(FUZZ_KERNEL) -t $$(($(SECONDS) + 600)) -- \
		sh -c 'insmod $$COPPICE_KO && COPPICE_PROGRAM=$$COPPICE_OUT/program COPPICE_PROGRAMS=$$COPPICE_OUT/programs \
			selftests/fuzz/kernel_test $(SECONDS) $$(date +%s)'

coverage: deps
	$(MAKE) -j$(shell nproc) all
	selftests/coverage

lint: deps
	selftests/lint/lint_test

# Tasks have the runtime in programs of their own, which are built without checks.
sanitizers := -fsanitize=address,undefined -fno-sanitize-recover=all
sanitized_areas := ctl deployment
sanitized: deps
	$(MAKE) -C bpf BUILD=$(BUILD)/sanitized
	$(MAKE) -C ctl BUILD=$(BUILD)/sanitized CFLAGS="-O1 -g1 $(sanitizers)" LDFLAGS="$(sanitizers)" controller
	for area in $(sanitized_areas); do \
		$(MAKE) -C selftests/$$area BUILD=$(BUILD)/sanitized CFLAGS="-O1 -g1 $(sanitizers)" \
			LDFLAGS="$(sanitizers)" || exit 1; \
	done

demo: deps
	$(MAKE) -j$(shell nproc) all
	demo/run

bench:
	@scripts/deps bench
	$(MAKE) -j$(shell nproc) all
	selftests/bench/run
	selftests/bench/override

install: all
	release=$$(/sbin/modinfo -F vermagic $(BUILD)/kmod/coppice.ko | cut -d' ' -f1) && \
	install -D -m 644 -t $(DESTDIR)/lib/modules/$$release/updates $(BUILD)/kmod/coppice.ko && \
	{ [ -n "$(DESTDIR)" ] || /sbin/depmod $$release; }
	$(MAKE) -C ctl BUILD=$(BUILD) PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) install

packages: deps
	scripts/packages

# Kernels and downloads stay in .cache/.
clean:
	rm -rf $(BUILD)

.PHONY: all arm64 deps module bpf ctl selftests check fuzz coverage lint sanitized demo bench install packages clean $(areas:%=selftests/%)
