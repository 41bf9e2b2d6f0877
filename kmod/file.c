// SPDX-License-Identifier: GPL-2.0
/*
 * Files that the pages of images are mapped from.
 *
 * They are in no descriptor table and have no name to open. Anonymous inodes of the
 * kernel serve, unless nothing of them may be executed, as since 6.16 and where
 * that was backported to: then they are of a file system of the module's own.
 */
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/mutex.h>
#include <linux/pseudo_fs.h>

#include "coppice.h"
#include "compat/file.h"

#define OWN_MAGIC	0x636f7070
#define OWN_INO		1

static struct vfsmount *own_mount;	/* set once, when the first file needs it */

/* As the kernel shows its own, so that a mapping is called the same everywhere. */
static char *own_dname(struct dentry *dentry, char *buffer, int len)
{
	char name[64];
	int size = scnprintf(name, sizeof(name), "anon_inode:%s", dentry->d_name.name) + 1;

	if (size > len)
		return ERR_PTR(-ENAMETOOLONG);
	return memcpy(buffer + len - size, name, size);
}

static const struct dentry_operations own_dentry_ops = {
	.d_dname = own_dname,
};

static int own_init_fs_context(struct fs_context *fc)
{
	struct pseudo_fs_context *context = init_pseudo(fc, OWN_MAGIC);

	if (!context)
		return -ENOMEM;
	context->dops = &own_dentry_ops;
	fc->s_iflags |= SB_I_NODEV;
	fc->s_iflags &= ~SB_I_NOEXEC;
	return 0;
}

/* Without an owner: a mounted one would keep the module from ever being unloaded. */
static struct file_system_type own_type = {
	.name = "coppice",
	.init_fs_context = own_init_fs_context,
	.kill_sb = kill_anon_super,
};

/* The superblock has one reference more than its mount, see coppice_file_exit(). */
static struct vfsmount *get_own_mount(void)
{
	static DEFINE_MUTEX(lock);
	struct vfsmount *mount;

	mutex_lock(&lock);
	mount = own_mount;
	if (!mount) {
		mount = kern_mount(&own_type);
		if (!IS_ERR(mount)) {
			atomic_inc(&mount->mnt_sb->s_active);
			/* Pairs with the acquire in coppice_file_create(). */
			smp_store_release(&own_mount, mount);
		}
	}
	mutex_unlock(&lock);
	return mount;
}

static struct file *own_file(struct vfsmount *mount, const char *name,
			     const struct file_operations *fops, void *priv,
			     int flags, loff_t size)
{
	struct inode *inode = alloc_anon_inode(mount->mnt_sb);
	struct file *file;

	if (IS_ERR(inode))
		return ERR_CAST(inode);
	coppice_inode_executable(inode);
	/* As of the kernel's one: by a reset nothing changes that /proc/PID/maps shows. */
	inode->i_ino = OWN_INO;
	i_size_write(inode, size);
	__module_get(fops->owner);
	file = alloc_file_pseudo(inode, mount, name, flags, fops);
	if (IS_ERR(file)) {
		module_put(fops->owner);
		iput(inode);
		return file;
	}
	file->private_data = priv;
	return file;
}

/* Of an anonymous inode of the kernel, or NULL if it could not be executed. */
static struct file *anon_file(const char *name, const struct file_operations *fops,
			      void *priv, int flags, loff_t size)
{
	struct file *file = coppice_anon_getfile(name, fops, NULL, flags, size);

	if (IS_ERR(file))
		return file;
	if (file_inode(file)->i_sb->s_iflags & SB_I_NOEXEC) {
		fput(file);
		return NULL;
	}
	file->private_data = priv;
	return file;
}

/**
 * coppice_file_create() - a file whose mappings may be executed
 * @name: /proc/PID/maps shows it after "anon_inode:"
 * @fops: for the file, which pins their owner; .release may find no private data
 * @priv: the file's private data, the caller's to free if this fails
 * @flags: O_RDONLY or O_RDWR
 * @size: of the file; 0 if no huge page is mapped of it
 *
 * Context: may sleep.
 * Return: the file, or ERR_PTR.
 */
struct file *coppice_file_create(const char *name, const struct file_operations *fops,
				 void *priv, int flags, loff_t size)
{
	/* Pairs with the release in get_own_mount(). */
	struct vfsmount *mount = smp_load_acquire(&own_mount);
	struct file *file = mount ? NULL : anon_file(name, fops, priv, flags, size);

	if (file)
		return file;
	mount = mount ?: get_own_mount();
	if (IS_ERR(mount))
		return ERR_CAST(mount);
	return own_file(mount, name, fops, priv, flags, size);
}

/**
 * coppice_file_exit() - no file is mapped: each pins the module
 *
 * A file lets go of the module first and of its mount then, and who lets go of a
 * superblock last needs what the module has of it: that is done here.
 */
void coppice_file_exit(void)
{
	struct super_block *sb;

	if (!own_mount)
		return;
	sb = own_mount->mnt_sb;
	kern_unmount(own_mount);
	while (atomic_read(&sb->s_active) > 1)
		msleep(20);
	deactivate_super(sb);
}
