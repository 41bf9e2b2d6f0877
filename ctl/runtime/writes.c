/* SPDX-License-Identifier: MIT */
/*
 * Which blocks are written to: their pages are read-only, and each write to one is let through by itself, with
 * the processor's single step.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "arch.h"
#include "blocks.h"
#include "identities.h"
#include "placement.h"

#define EXPORTED	__attribute__((visibility("default")))
#define PAGE		4096UL
/* That one instruction writes to, and more. */
#define PAGES_MOST	8
/* An event that does the same many times over has told all by then. */
#define KNOWN_MOST	50000

static struct identities written;
static uintptr_t opened[PAGES_MOST];	/* until the instruction is through */
static size_t nr_opened;
static size_t nr_known;			/* writes since one told of another block */

static void note(uint64_t id)
{
	size_t before = written.nr;

	identities_add(&written, id);
	nr_known = written.nr == before ? nr_known + 1 : 0;
}

static void write_begins(int signal, siginfo_t *info, void *context)
{
	uintptr_t address = (uintptr_t)info->si_addr;

	(void)signal;
	/* Not ours: it comes again, and ends the process as it would have. */
	if (info->si_code != SEGV_ACCERR || nr_opened == PAGES_MOST ||
	    mprotect((void *)(address & ~(PAGE - 1)), PAGE, PROT_READ | PROT_WRITE)) {
		sigaction(SIGSEGV, &(struct sigaction) { .sa_handler = SIG_DFL }, NULL);
		return;
	}
	opened[nr_opened++] = address & ~(PAGE - 1);
	note(blocks_find(address));
	arch_single_step(context, 1);
}

static void protect(uintptr_t page)
{
	mprotect((void *)page, PAGE, PROT_READ);
}

static void unprotect(uintptr_t page)
{
	mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE);
}

static void write_ends(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)info;
	while (nr_opened)
		protect(opened[--nr_opened]);
	arch_single_step(context, 0);
	if (nr_known == KNOWN_MOST)
		blocks_each_page(unprotect);
}

EXPORTED int coppice_placement_watch(void)
{
	struct sigaction begins = { .sa_sigaction = write_begins, .sa_flags = SA_SIGINFO };
	struct sigaction ends = { .sa_sigaction = write_ends, .sa_flags = SA_SIGINFO };

	if (!ARCH_SINGLE_STEP) {
		errno = ENOSYS;
		return -1;
	}
	if (!identities_open(&written) || sigaction(SIGSEGV, &begins, NULL) ||
	    sigaction(SIGTRAP, &ends, NULL))
		return -1;
	blocks_each_page(protect);
	return 0;
}

EXPORTED size_t coppice_placement_written(uint64_t *ids, size_t most)
{
	return written.slots ? identities_list(&written, ids, most) : 0;
}
