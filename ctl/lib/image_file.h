/* SPDX-License-Identifier: GPL-2.0 */
/* Private to image_file*.c: what the ELF core file of an image is made of. */
#ifndef COPPICE_IMAGE_FILE_H
#define COPPICE_IMAGE_FILE_H

#define NOTE_NAME	"COPPICE"	/* the note that carries the packed notes */
#define NOTE_TYPE	1

#define NOTE_ALIGN(n)	(((n) + 3) & ~(size_t)3)

#endif /* COPPICE_IMAGE_FILE_H */
