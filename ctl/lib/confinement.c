// SPDX-License-Identifier: GPL-2.0
/* Confinement of a group's tasks. */
#include <errno.h>
#include <string.h>
#include <sys/file.h>

#include "cgroup.h"
#include "cleanup.h"
#include "confinement.h"
#include "device_grants.h"

static int lock(const struct confinement *confinement, struct error *err)
{
	if (flock(confinement->lock, LOCK_SH))
		return error_set(err, errno, "the grants cannot be locked: %s", strerror(errno));
	return 0;
}

/* What they were is known from that devices are still restricted: no task goes without. */
static int without_grants(struct confinement *confinement, struct error *err)
{
	const struct group_info *group = confinement->group;

	if (confinement->has_grants || device_grants_attached(group->name))
		return error_set(err, EACCES, "the grants of group %s are lost: give them again, with coppice group grants %s FILE",
				 group->name, group->name);
	return user_by_uid(group->owner, &confinement->user, err);
}

static int restrict_devices(const struct group_info *group, const struct grants *grants,
			    struct error *err)
{
	char path[PATH_MAX];

	if (device_grants_attached(group->name))
		return 0;
	return cgroup_path(group->cgroup, path, err) ? -1 :
	       device_grants_set(group->name, path, grants, err);
}

static int with_grants(struct confinement *confinement, struct error *err)
{
	const struct group_info *group = confinement->group;
	autogrants struct grants grants = {};

	if (grants_of(group->name, &grants, err))
		return -1;
	if (grants.uid != group->owner)
		return error_set(err, EACCES, "the grants of group %s are those of user %u, not of its owner: give it its own, with coppice group grants %s FILE",
				 group->name, grants.uid, group->name);
	enclosure_close(&confinement->enclosure);
	if (restrict_devices(group, &grants, err) ||
	    enclosure_open(&grants, confinement->mounts, 0, &confinement->enclosure, err))
		return -1;
	grants_user(&grants, &confinement->user);
	confinement->has_grants = true;
	return 0;
}

/* Under the lock. The stamp is that of what was read, as nothing changes it meanwhile. */
static int follow(struct confinement *confinement, struct error *err)
{
	struct grants_stamp now;

	grants_stamp(confinement->group->name, &now);
	if (!memcmp(&now, &confinement->stamp, sizeof(now)) && confinement->user.name[0])
		return 0;
	if (now.inode ? with_grants(confinement, err) : without_grants(confinement, err))
		return -1;
	confinement->stamp = now;
	return 0;
}

int confinement_begin(struct confinement *confinement, struct error *err)
{
	if (lock(confinement, err))
		return -1;
	if (!follow(confinement, err))
		return 0;
	confinement_end(confinement);
	return -1;
}

void confinement_end(const struct confinement *confinement)
{
	(void)!flock(confinement->lock, LOCK_UN);
}

int confinement_open(struct confinement *confinement, const struct group_info *group,
		     const struct task_mounts *mounts, struct error *err)
{
	*confinement = (struct confinement) CONFINEMENT_NONE;
	confinement->group = group;
	confinement->mounts = mounts;
	confinement->lock = grants_lock_open(err);
	if (confinement->lock < 0 || confinement_begin(confinement, err))
		return -1;
	confinement_end(confinement);
	return 0;
}

void confinement_close(struct confinement *confinement)
{
	enclosure_close(&confinement->enclosure);
	cleanup_close(&confinement->lock);
}
