/* SPDX-License-Identifier: GPL-2.0 */
/* Can a file system be mounted with other owners than it has on the disk? */
#ifndef COPPICE_IDMAP_PROBE_H
#define COPPICE_IDMAP_PROBE_H

#include <stdbool.h>

/*
 * Tried on a clone of the mount that @fd (O_PATH is enough) lies on, which is attached nowhere
 * and gone again. False also where it cannot be tried.
 */
bool idmap_probe(int fd);

#endif /* COPPICE_IDMAP_PROBE_H */
