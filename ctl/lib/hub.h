/* SPDX-License-Identifier: GPL-2.0 */
/* What an image depends on of the hub that it runs on. */
#ifndef COPPICE_HUB_H
#define COPPICE_HUB_H

#include "image.h"

/* The GNU build-id of an ELF file; -1 if it is none or has none. */
int hub_build_id(const char *path, uint8_t id[32], uint8_t *len);
int hub_build_id_fd(int fd, uint8_t id[32], uint8_t *len);

/* Fill in this hub's vDSO build-id and processor words. */
int __must_check hub_describe(struct image *image, struct error *err);

#endif /* COPPICE_HUB_H */
