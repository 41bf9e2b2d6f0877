// SPDX-License-Identifier: GPL-2.0
/* Is a template quiescent? What could not be carried into tasks is refused by name. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/devices.h"
#include "template_check.h"

/* The first line of /proc/PID/@file, without its newline. */
static bool read_line(pid_t pid, const char *file, char *line, size_t size)
{
	char path[80];
	FILE *stream;
	bool ok;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	stream = fopen(path, "re");
	ok = stream && fgets(line, size, stream);
	if (stream)
		fclose(stream);
	if (ok)
		line[strcspn(line, "\n")] = '\0';
	return ok;
}

static int check_thread(pid_t pid, int tid, void *data, struct error *err)
{
	char file[64], name[32] = "?";

	(void)data;
	if (tid == pid)
		return 0;
	snprintf(file, sizeof(file), "task/%d/comm", tid);
	read_line(pid, file, name, sizeof(name));
	return error_set(err, EBUSY, "the template has a second thread (%d, '%s'), which tasks would not have: end it before the checkpoint", tid, name);
}

/* What to do about an open descriptor depends on what it is. */
static const char *advice(const char *target)
{
	if (!strncmp(target, "socket:", 7))
		return "a socket, which tasks can't share: close it before the checkpoint, tasks connect themselves";
	if (!strncmp(target, "pipe:", 5))
		return "a pipe, whose other end tasks would not have: close it before the checkpoint";
	if (!strncmp(target, "anon_inode:", 11))
		return "which tasks would not have: close it before the checkpoint";
	if (!strncmp(target, "/dev/", 5))
		return "a device that tasks can't be given, or under a number above 62: close it before the checkpoint, tasks open it themselves";
	return "an open file: close it before the checkpoint, tasks open it themselves";
}

/* The runtime opens it again in each task; see ctl/runtime/devices.c. */
static bool is_carried(const char *path, int fd)
{
	struct stat st;

	return fd < COPPICE_DEVICES_END && !stat(path, &st) && device_path(&st);
}

static int check_fd(pid_t pid, int fd, void *data, struct error *err)
{
	char path[64], target[256];
	ssize_t len;

	if (fd <= STDERR_FILENO || fd == *(int *)data)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	if (is_carried(path, fd))
		return 0;
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return 0;
	target[len] = '\0';
	return error_set(err, EBUSY, "the template has descriptor %d (%.120s) open, %s", fd, target, advice(target));
}

typedef int (*number_fn)(pid_t pid, int number, void *data, struct error *err);

/* Calls @fn for each numbered entry of a directory of /proc/PID. */
static int each_number(pid_t pid, const char *name, number_fn fn, void *data, struct error *err)
{
	struct dirent *entry;
	char path[64];
	int ret = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	dir = opendir(path);
	if (!dir)
		return error_set(err, errno, "%s can't be read (%s): the template has ended", path, strerror(errno));
	while (!ret && (entry = readdir(dir)))
		if (isdigit((unsigned char)*entry->d_name))
			ret = fn(pid, atoi(entry->d_name), data, err);
	closedir(dir);
	return ret;
}

static int check_children(pid_t pid, struct error *err)
{
	char file[64], line[256] = "";
	int child;

	snprintf(file, sizeof(file), "task/%d/children", pid);
	if (!read_line(pid, file, line, sizeof(line)) || sscanf(line, "%d", &child) != 1)
		return 0;
	return error_set(err, EBUSY, "the template has a child process (%d), which tasks would not have: end and wait for it before the checkpoint", child);
}

int template_check(pid_t pid, int record_fd, struct error *err)
{
	if (each_number(pid, "task", check_thread, NULL, err) || check_children(pid, err))
		return -1;
	return each_number(pid, "fd", check_fd, &record_fd, err);
}

int template_check_vma(const struct template_vma *vma, struct error *err)
{
	if (!vma->shared)
		return 0;
	if (vma->prot & PROT_WRITE)
		return error_set(err, EBUSY, "the template has a shared writable mapping at 0x%lx (%.120s), which tasks would not share: unmap it or map it private before the checkpoint",
				 (unsigned long)vma->start, *vma->name ? vma->name : "anonymous");
	if (vma->file)
		return 0;
	return error_set(err, EBUSY, "the template has a shared mapping at 0x%lx without a file, which tasks would not share: unmap it before the checkpoint",
			 (unsigned long)vma->start);
}
