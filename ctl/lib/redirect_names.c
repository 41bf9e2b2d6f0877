// SPDX-License-Identifier: GPL-2.0
/* Addresses that names were given: what programs need to know of them. */
#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>

#include "redirect.h"
#include "redirect_groups.h"
#include "redirect_pins.h"

static size_t address_size(const struct endpoint *endpoint)
{
	return endpoint->family == AF_INET ? 4 : 16;
}

static struct name_key make_key(__u32 group, const struct endpoint *address)
{
	struct name_key key = { .group = group, .family = address->family };

	memcpy(key.address, address->address, address_size(address));
	return key;
}

static int open_group(struct pins *pins, const char *group, __u32 *number, struct error *err)
{
	if (redirect_check_group(group, err) || pins_open(pins, PINS_WRITE, err))
		return -1;
	if (!pins->ready || !redirect_group_number(pins, group, number))
		return error_set(err, ENOENT, "group %s has no overrides and no programs attached", group);
	return 0;
}

static int set_one(const struct pins *pins, __u32 number, const struct redirect_name *name,
		   struct error *err)
{
	struct name_value value = {};
	struct name_key key = make_key(number, &name->address);

	if (name->alias.family != name->address.family)
		return error_set(err, EAFNOSUPPORT, "an address of a name and its alias are of one family");
	memcpy(value.alias, name->alias.address, address_size(&name->alias));
	if (name->real4.family == AF_INET) {
		memcpy(value.real4, name->real4.address, sizeof(value.real4));
		value.real |= NAME_REAL4;
	}
	if (name->real6.family == AF_INET6) {
		memcpy(value.real6, name->real6.address, sizeof(value.real6));
		value.real |= NAME_REAL6;
	}
	if (!bpf_map_update_elem(pins->map[MAP_NAMES], &key, &value, BPF_ANY))
		return 0;
	if (errno == E2BIG)
		return error_set(err, ENOSPC, "all %d addresses that names can have are in use", REDIRECT_NAMES_MAX);
	return error_set(err, errno, "the address of a name cannot be written to %s/names: %s",
			 PIN_MAPS, strerror(errno));
}

int redirect_name_set_all(const char *group, const struct redirect_name *names, size_t nr,
			  struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	__u32 number;
	size_t i;

	if (open_group(&pins, group, &number, err))
		return -1;
	for (i = 0; i < nr; i++)
		if (set_one(&pins, number, &names[i], err))
			return -1;
	return 0;
}

int redirect_name_set(const char *group, const struct redirect_name *name, struct error *err)
{
	return redirect_name_set_all(group, name, 1, err);
}

int redirect_name_delete(const char *group, const struct endpoint *address, struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	struct name_key key;
	__u32 number;

	if (open_group(&pins, group, &number, err))
		return -1;
	key = make_key(number, address);
	if (!bpf_map_delete_elem(pins.map[MAP_NAMES], &key) || errno == ENOENT)
		return 0;
	return error_set(err, errno, "the address of a name cannot be deleted from %s/names: %s",
			 PIN_MAPS, strerror(errno));
}
