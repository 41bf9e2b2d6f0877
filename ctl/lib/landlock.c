// SPDX-License-Identifier: GPL-2.0
/* Landlock. */
#include <errno.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "landlock.h"

#define ABI_MAX	6		/* up to which it is known here */

/* As far as Linux 6.12: the headers may be older than the kernel. */
struct attributes {
	uint64_t files, ports, scopes;
};

#define SCOPES	3		/* abstract sockets, signals */

static const struct {
	uint64_t files, scopes;
	size_t size;		/* of the attributes that it knows */
} known[ABI_MAX + 1] = {
	[1] = { LANDLOCK_REFER - 1, 0, 8 },
	[2] = { LANDLOCK_TRUNCATE - 1, 0, 8 },
	[3] = { LANDLOCK_IOCTL_DEV - 1, 0, 8 },
	[4] = { LANDLOCK_IOCTL_DEV - 1, 0, 16 },
	[5] = { (LANDLOCK_IOCTL_DEV << 1) - 1, 0, 16 },
	[6] = { (LANDLOCK_IOCTL_DEV << 1) - 1, SCOPES, 24 },
};

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 0)
		return 0;
	return abi > ABI_MAX ? ABI_MAX : abi;
}

const char *const *landlock_lacks(int abi)
{
	static const struct {
		int since;
		const char *what;
	} all[] = {
		{ 1, "Landlock" },
		{ 3, "truncating (Landlock ABI 3, Linux 6.2)" },
		{ 5, "ioctl() on devices (Landlock ABI 5, Linux 6.10)" },
		{ 6, "signals and abstract sockets (Landlock ABI 6, Linux 6.12)" },
	};
	static const char *lacks[sizeof(all) / sizeof(all[0]) + 1];
	size_t i, nr = 0;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (abi < all[i].since)
			lacks[nr++] = all[i].what;
	lacks[nr] = NULL;
	return lacks;
}

static int add(int ruleset, int abi, const struct landlock_rule *rule)
{
	struct landlock_path_beneath_attr attr = {
		.allowed_access = rule->access & known[abi].files,
		.parent_fd = rule->fd,
	};

	if (!rule->is_directory)
		attr.allowed_access &= LANDLOCK_OF_FILES;
	/* The kernel takes a rule that allows nothing for a mistake. */
	if (!attr.allowed_access)
		return 0;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
}

int landlock_restrict(int abi, const struct landlock_rule *rules, size_t nr, struct error *err)
{
	const struct attributes attributes = {
		.files = known[abi].files, .scopes = known[abi].scopes,
	};
	autoclose int ruleset = -1;
	size_t i;

	ruleset = syscall(SYS_landlock_create_ruleset, &attributes, known[abi].size, 0);
	if (ruleset < 0)
		return error_set(err, errno, "Landlock makes no rules: %s", strerror(errno));
	for (i = 0; i < nr; i++)
		if (add(ruleset, abi, &rules[i]))
			return error_set(err, errno, "Landlock refuses rule %zu: %s", i, strerror(errno));
	if (syscall(SYS_landlock_restrict_self, ruleset, 0))
		return error_set(err, errno, "Landlock restricts nothing: %s", strerror(errno));
	return 0;
}
