# SPDX-License-Identifier: GPL-2.0
# What building TAP programs has in common, for the Makefile of each area. ctl/ is built before.
#
# Set before it is included:
#   programs	TAP programs, each of one source
#   common	objects that each of them is linked with, too
#   scripts	tests that are scripts
#   own_flags, own_libs	what the area needs beyond the controller's

BUILD ?= ../../build
override BUILD := $(abspath $(BUILD))
top := ../..
out := $(BUILD)/selftests/$(notdir $(CURDIR))

flags := -std=gnu11 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -Wno-format-truncation \
	 -D_GNU_SOURCE -MMD -MP -isystem $(shell $(top)/scripts/kselftest) \
	 -I$(top)/ctl -I$(top)/include -I$(top)/include/uapi \
	 $(shell pkg-config --cflags libnl-genl-3.0)
libs := $(shell cat $(BUILD)/ctl/libs)

all: $(programs:%=$(out)/%)

check: all
	prove -v -e '' $(programs:%=$(out)/%) $(scripts:%=./%)

$(out)/%.o: %.c Makefile $(top)/selftests/lib/tests.mk | $(out)
	$(CC) $(flags) $(own_flags) $(CFLAGS) -c $< -o $@

# Of the controller each takes what it needs: all but its main() is in the archive.
link = $(CC) $(LDFLAGS) $(filter %.o,$^) $(filter %.a,$^) $(libs) $(own_libs) -o $@

$(programs:%=$(out)/%): $(out)/%: $(out)/%.o $(common:%=$(out)/%) $(BUILD)/ctl/controller.a
	$(link)

$(out):
	mkdir -p $@

clean:
	rm -rf $(out)

.PHONY: all check clean
.SECONDARY:
-include $(wildcard $(out)/*.d)
