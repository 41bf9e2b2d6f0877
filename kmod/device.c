// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/coppice: bulk page data, and what a task does to itself.
 *
 * Opening an image or a group by name is a privilege; the descriptor that it
 * returns is the right. Every descriptor's operations have this module as owner,
 * so the module stays while one is open.
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "coppice.h"

/* Hands the sentence to the caller; @err is what the call returns. */
static long refuse(const struct coppice_reason *reason, const char *why, long err)
{
	size_t len;

	if (!reason->text || !reason->len || !why)
		return err;
	len = min_t(size_t, strlen(why) + 1, reason->len);
	/* The call fails anyway: a bad buffer for the text changes nothing. */
	if (copy_to_user(u64_to_user_ptr(reason->text), why, len - 1) ||
	    put_user('\0', (char __user *)u64_to_user_ptr(reason->text) + len - 1))
		return err;
	return err;
}

static long refuse_pad(const struct coppice_reason *reason)
{
	return refuse(reason, "The padding is not zero: set it to 0", -EINVAL);
}

static bool name_terminated(const char *name)
{
	return strnlen(name, COPPICE_DEV_NAME_SIZE) < COPPICE_DEV_NAME_SIZE;
}

static int image_release_fd(struct inode *inode, struct file *file)
{
	struct coppice_image *image = file->private_data;

	if (file->f_mode & FMODE_WRITE)
		coppice_image_abandon(image);
	coppice_image_put(image);
	return 0;
}

static long image_segment(struct coppice_image *image, void __user *arg)
{
	struct coppice_image_segment args;
	const char *why = NULL;
	long err;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.reason.pad)
		return refuse_pad(&args.reason);
	err = coppice_image_add(image, &args.segment, &why);
	return err ? refuse(&args.reason, why, err) : 0;
}

static long image_seal(struct coppice_image *image, void __user *arg)
{
	struct coppice_image_seal args;
	const char *why = NULL;
	long err;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.reason.pad)
		return refuse_pad(&args.reason);
	err = coppice_image_seal(image, &args, &why);
	return err ? refuse(&args.reason, why, err) : 0;
}

/* As it was loaded, in however many parts it is; returns the last one. */
static const struct coppice_vseg *whole_segment(const struct coppice_vseg *seg,
						struct coppice_segment *segment)
{
	*segment = (struct coppice_segment) {
		.start = seg->start,
		.len = seg->len,
		.prot = seg->prot,
		.flags = seg->anon ? COPPICE_SEGMENT_ANON : 0,
		.data = seg->anon ? 0 : (u64)seg->pgoff << PAGE_SHIFT,
	};
	for (; seg->more; seg++)
		segment->len += seg[1].len;
	return seg;
}

static int copy_segments(const struct coppice_image *image,
			 struct coppice_segment __user *to)
{
	const struct coppice_vseg *seg = image->segs;
	struct coppice_segment segment;

	for (; seg < image->segs + image->nr_segs; seg++, to++) {
		seg = whole_segment(seg, &segment);
		if (copy_to_user(to, &segment, sizeof(segment)))
			return -EFAULT;
	}
	return 0;
}

static int copy_info(const struct coppice_image *image,
		     const struct coppice_image_info *args)
{
	if (args->segments &&
	    copy_segments(image, u64_to_user_ptr(args->segments)))
		return -EFAULT;
	if (args->notes && image->notes_len &&
	    copy_to_user(u64_to_user_ptr(args->notes), image->notes,
			 image->notes_len))
		return -EFAULT;
	return 0;
}

static long image_info(struct coppice_image *image, void __user *arg)
{
	struct coppice_image_info args;
	bool room;
	int err;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.reason.pad)
		return refuse_pad(&args.reason);
	/* Pairs with the release in image_seal(): all of a sealed image is there. */
	if (!smp_load_acquire(&image->sealed))
		return refuse(&args.reason, "The image is not sealed yet: seal it first", -EBUSY);
	room = (!args.segments || args.nr_segments >= image->segments) &&
	       (!args.notes || args.notes_len >= image->notes_len);
	args.nr_segments = image->segments;
	args.notes_len = image->notes_len;
	args.entry = image->entry;
	args.stack = image->stack;
	err = room ? copy_info(image, &args) : -ENOSPC;
	if (copy_to_user(arg, &args, sizeof(args)))
		return -EFAULT;
	if (err == -ENOSPC)
		return refuse(&args.reason, "The room is too small: the call has filled in the sizes needed", err);
	return err;
}

static long image_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct coppice_image *image = file->private_data;
	void __user *user = (void __user *)arg;

	if (cmd == COPPICE_IOC_IMAGE_INFO)
		return image_info(image, user);
	if (!(file->f_mode & FMODE_WRITE))
		return -ENOTTY;
	switch (cmd) {
	case COPPICE_IOC_IMAGE_SEGMENT:
		return image_segment(image, user);
	case COPPICE_IOC_IMAGE_SEAL:
		return image_seal(image, user);
	default:
		return -ENOTTY;
	}
}

/* Up to one page; read(2) is free to return less than asked for. */
static ssize_t image_read(struct file *file, char __user *buf, size_t size,
			  loff_t *pos)
{
	struct coppice_image *image = file->private_data;
	unsigned long offset = offset_in_page(*pos);
	struct page *page;
	unsigned long left;
	void *data;

	/* Pairs with the release in image_seal(): all of a sealed image is there. */
	if (!smp_load_acquire(&image->sealed))
		return -EBUSY;
	if (*pos < 0)
		return -EINVAL;
	page = coppice_image_page(image, *pos >> PAGE_SHIFT);
	if (!page)
		return 0;
	size = min_t(size_t, size, PAGE_SIZE - offset);
	data = kmap_local_page(page);
	left = copy_to_user(buf, data + offset, size);
	kunmap_local(data);
	if (left)
		return -EFAULT;
	*pos += size;
	return size;
}

static const struct file_operations image_fops = {
	.owner = THIS_MODULE,
	.release = image_release_fd,
	.unlocked_ioctl = image_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.read = image_read,
	.llseek = default_llseek,
};

static int group_release_fd(struct inode *inode, struct file *file)
{
	coppice_group_put(file->private_data);
	return 0;
}

static long group_enter(struct coppice_group *group, void __user *arg)
{
	struct coppice_enter args;
	const char *why = NULL;
	long ret;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.reason.pad)
		return refuse_pad(&args.reason);
	ret = coppice_enter(group, &args, &why);
	return ret < 0 ? refuse(&args.reason, why, ret) : ret;
}

static long group_ready(struct coppice_group *group)
{
	if (coppice_task_set_ready(group, current->mm))
		coppice_learn(group);
	return 0;
}

static long group_reshare(struct coppice_group *group, struct coppice_reshare __user *arg)
{
	struct coppice_reshared result;
	struct coppice_reshare args;
	const char *why = NULL;
	long err;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.reason.pad)
		return refuse_pad(&args.reason);
	if (!coppice_task_member(group, current->mm))
		return refuse(&args.reason, "The caller is no task of this group: enter it first", -ESRCH);
	err = coppice_reshare(group, current->mm, &result, &why);
	if (put_user(result.compared, &arg->compared) ||
	    put_user(result.given_back, &arg->given_back))
		return -EFAULT;
	return err ? refuse(&args.reason, why, err) : 0;
}

static long group_reset(struct coppice_group *group, void __user *arg)
{
	struct coppice_reset args;
	const char *why = NULL;
	long ret;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.reason.pad)
		return refuse_pad(&args.reason);
	ret = coppice_reset(group, &why);
	return ret < 0 ? refuse(&args.reason, why, ret) : ret;
}

static void describe_group(const struct coppice_group *group, struct coppice_group_info *info)
{
	BUILD_BUG_ON(sizeof(info->cgroup) != COPPICE_CGROUP_MAX + 1);
	BUILD_BUG_ON(sizeof(info->reshare) != COPPICE_RESHARE_MAX + 1);
	info->id = group->id;
	info->owner = from_kuid_munged(current_user_ns(), group->owner);
	info->max_tasks = group->max_tasks;
	info->flags = group->adopt ? COPPICE_GROUP_ADOPT : 0;
	/* Each is cut off nowhere, and filled up with zeros. */
	strscpy_pad(info->name, group->name, sizeof(info->name));
	strscpy_pad(info->image, group->image->name, sizeof(info->image));
	strscpy_pad(info->cgroup, group->cgroup, sizeof(info->cgroup));
	strscpy_pad(info->reshare, group->reshare, sizeof(info->reshare));
}

static long group_info(const struct coppice_group *group, void __user *arg)
{
	struct coppice_group_info args;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.reason.pad)
		return refuse_pad(&args.reason);
	if (!capable(CAP_SYS_ADMIN))
		return refuse(&args.reason, "Groups are described with CAP_SYS_ADMIN: run as root", -EPERM);
	describe_group(group, &args);
	return copy_to_user(arg, &args, sizeof(args)) ? -EFAULT : 0;
}

static long group_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case COPPICE_IOC_GROUP_INFO:
		return group_info(file->private_data, (void __user *)arg);
	case COPPICE_IOC_ENTER:
		return group_enter(file->private_data, (void __user *)arg);
	case COPPICE_IOC_READY:
		return group_ready(file->private_data);
	case COPPICE_IOC_RESHARE:
		return group_reshare(file->private_data, (void __user *)arg);
	case COPPICE_IOC_RESET:
		return group_reset(file->private_data, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}

/* A 32-bit process may hold a descriptor, and is told why it can't enter. */
static long group_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	if (cmd != COPPICE_IOC_ENTER)
		return -ENOTTY;
	return group_enter(file->private_data, compat_ptr(arg));
}

static const struct file_operations group_fops = {
	.owner = THIS_MODULE,
	.release = group_release_fd,
	.unlocked_ioctl = group_ioctl,
	.compat_ioctl = group_compat_ioctl,
	.llseek = noop_llseek,
};

static const char long_name[] =
	"The name is not terminated: use at most 63 bytes";

static long refuse_descriptor(const struct coppice_reason *reason, long err)
{
	return refuse(reason, err == -ENOMEM ?
		      "No memory for the descriptor: free memory and try again" :
		      "There is no descriptor left: close some or raise the limit (ulimit -n)", err);
}

/* Like anon_inode_getfd(), for a file that also has positions: pread(2), lseek(2). */
static int install(const char *name, const struct file_operations *fops,
		   void *object, int flags)
{
	struct file *file;
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	file = anon_inode_getfile(name, fops, object, flags | O_CLOEXEC);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	if (fops->read)
		file->f_mode |= FMODE_LSEEK | FMODE_PREAD;
	fd_install(fd, file);
	return fd;
}

static long image_create(void __user *arg)
{
	struct coppice_image_create args;
	struct coppice_image *image;
	const char *why = NULL;
	int fd;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.reason.pad || args.pad)
		return refuse_pad(&args.reason);
	if (!name_terminated(args.name))
		return refuse(&args.reason, long_name, -EINVAL);
	image = coppice_image_create(args.name, make_kuid(current_user_ns(), args.owner),
				     &why);
	if (IS_ERR(image))
		return refuse(&args.reason, why, PTR_ERR(image));
	fd = install("[coppice-image]", &image_fops, image, O_RDWR);
	if (fd < 0) {
		coppice_image_abandon(image);
		coppice_image_put(image);
	}
	return fd < 0 ? refuse_descriptor(&args.reason, fd) : fd;
}

static long open_args(struct coppice_open *args, const void __user *arg)
{
	if (copy_from_user(args, arg, sizeof(*args)))
		return -EFAULT;
	if (args->reason.pad)
		return refuse_pad(&args->reason);
	if (!name_terminated(args->name))
		return refuse(&args->reason, long_name, -EINVAL);
	return 0;
}

static long image_open(void __user *arg)
{
	struct coppice_image *image;
	struct coppice_open args;
	long ret = open_args(&args, arg);

	if (ret)
		return ret;
	mutex_lock(&coppice_lock);
	image = coppice_image_get(args.name);
	mutex_unlock(&coppice_lock);
	if (!image)
		return refuse(&args.reason, "There is no such image: build or load it first", -ENOENT);
	ret = install("[coppice-image]", &image_fops, image, O_RDONLY);
	if (ret < 0)
		coppice_image_put(image);
	return ret < 0 ? refuse_descriptor(&args.reason, ret) : ret;
}

static long group_open(void __user *arg)
{
	struct coppice_group *group;
	struct coppice_open args;
	long ret = open_args(&args, arg);

	if (ret)
		return ret;
	mutex_lock(&coppice_lock);
	group = coppice_group_get(args.name);
	mutex_unlock(&coppice_lock);
	if (!group)
		return refuse(&args.reason, "There is no such group: add it first", -ENOENT);
	ret = install("[coppice-group]", &group_fops, group, O_RDWR);
	if (ret < 0)
		coppice_group_put(group);
	return ret < 0 ? refuse_descriptor(&args.reason, ret) : ret;
}

/* All three calls' arguments begin with the reason. */
static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	struct coppice_reason reason;

	if (cmd != COPPICE_IOC_IMAGE_CREATE && cmd != COPPICE_IOC_IMAGE_OPEN &&
	    cmd != COPPICE_IOC_GROUP_OPEN)
		return -ENOTTY;
	if (copy_from_user(&reason, user, sizeof(reason)))
		return -EFAULT;
	if (!capable(CAP_SYS_ADMIN))
		return refuse(&reason, "Images and groups are opened with CAP_SYS_ADMIN: run as root", -EPERM);
	switch (cmd) {
	case COPPICE_IOC_IMAGE_CREATE:
		return image_create(user);
	case COPPICE_IOC_IMAGE_OPEN:
		return image_open(user);
	default:
		return group_open(user);
	}
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "coppice",
	.fops = &device_fops,
	.mode = 0600,
};

/** coppice_device_init() - Return: 0 or a negative error. */
int coppice_device_init(void)
{
	return misc_register(&device);
}

/** coppice_device_exit() - no descriptor is open: each pins the module. */
void coppice_device_exit(void)
{
	misc_deregister(&device);
}
