// SPDX-License-Identifier: GPL-2.0
/* Capabilities, securebits and keyrings. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "privileges.h"

/*
 * Root's number means nothing, and it stays so. SECBIT_NO_SETUID_FIXUP is locked as it is, off:
 * with it capabilities would outlive the change of the user.
 */
#define BITS	(SECBIT_NOROOT | SECBIT_NO_CAP_AMBIENT_RAISE | SECURE_ALL_LOCKS)

static int drop_bounding(void)
{
	int capability;

	/* Up to the first that this kernel does not know. */
	for (capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0))
			return -1;
	return 0;
}

/* Keys of who called the controller are not the task's. A kernel without keys has none. */
static int leave_keyring(void)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		return -1;
	return 0;
}

int privileges_bound(struct error *err)
{
	if (drop_bounding() || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ||
	    prctl(PR_SET_SECUREBITS, BITS, 0, 0, 0))
		return error_set(err, errno, "capabilities could not be ruled out: %s: run as root",
				 strerror(errno));
	if (leave_keyring())
		return error_set(err, errno, "the caller's keyring could not be left: %s",
				 strerror(errno));
	return 0;
}

int privileges_drop(struct error *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[2] = {};

	if (syscall(SYS_capset, &header, none))
		return error_set(err, errno, "capabilities could not be dropped: %s", strerror(errno));
	return 0;
}
