/* SPDX-License-Identifier: GPL-2.0 */
/* Differences in what a mapped file must be, guarded by the symbol. */
#ifndef _COPPICE_COMPAT_FILE_H
#define _COPPICE_COMPAT_FILE_H

#include <linux/anon_inodes.h>
#include <linux/fs.h>

/*
 * A file to map. Kernels that map no huge page beyond a file's size have the means for an
 * inode of its own, which may have a size; the others share one, of size 0.
 */
static inline struct file *coppice_anon_getfile(const char *name,
						const struct file_operations *fops,
						void *priv, int flags, loff_t size)
{
#ifdef COPPICE_HAVE_ANON_INODE_CREATE_GETFILE
	struct file *file;

	if (size) {
		file = anon_inode_create_getfile(name, fops, priv, flags, NULL);
		if (!IS_ERR(file))
			i_size_write(file_inode(file), size);
		return file;
	}
#endif
	return anon_inode_getfile(name, fops, priv, flags);
}

/* An inode that is marked as anonymous may not be where something is executed. */
static inline void coppice_inode_executable(struct inode *inode)
{
#ifdef S_ANON_INODE
	inode->i_flags &= ~S_ANON_INODE;
#endif
}

#endif /* _COPPICE_COMPAT_FILE_H */
