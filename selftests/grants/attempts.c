// SPDX-License-Identifier: GPL-2.0
/* Attempts of tasks. */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attempts.h"
#include "grants.h"

#define R	GRANT_READ
#define W	GRANT_WRITE
#define A	GRANT_APPEND

static const char *at(const char *dir, const char *name)
{
	static char paths[2][PATH_MAX];
	static int next;

	next = !next;
	snprintf(paths[next], PATH_MAX, "%s/%s", dir, name);
	return paths[next];
}

static int result(long value)
{
	return value < 0 ? errno : 0;
}

static int open_and_close(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0666), ret = result(fd);

	if (fd >= 0)
		close(fd);
	return ret;
}

/*
 * With what was granted.
 */

static int try_read(const char *dir) { return open_and_close(at(dir, "file"), O_RDONLY); }
static int try_write(const char *dir) { return open_and_close(at(dir, "file"), O_WRONLY); }
static int try_truncate(const char *dir) { return result(truncate(at(dir, "file"), 0)); }
static int try_create(const char *dir) { return open_and_close(at(dir, "new"), O_WRONLY | O_CREAT | O_EXCL); }
static int try_mkdir(const char *dir) { return result(mkdir(at(dir, "newdir"), 0755)); }
static int try_unlink(const char *dir) { return result(unlink(at(dir, "victim"))); }
static int try_rmdir(const char *dir) { return result(rmdir(at(dir, "empty"))); }
static int try_rename(const char *dir) { return result(rename(at(dir, "moved"), at(dir, "renamed"))); }
static int try_move(const char *dir) { return result(rename(at(dir, "far"), at(dir, "sub/far"))); }
static int try_symlink(const char *dir) { return result(symlink("/etc", at(dir, "symlink"))); }
static int try_fifo(const char *dir) { return result(mkfifo(at(dir, "fifo"), 0666)); }
static int try_chmod(const char *dir) { return result(chmod(at(dir, "own"), 0600)); }
static int try_utime(const char *dir) { return result(utimensat(AT_FDCWD, at(dir, "own"), NULL, 0)); }
static int try_node(const char *dir) { return result(mknod(at(dir, "null"), S_IFCHR | 0666, makedev(1, 3))); }

static int try_list(const char *dir)
{
	DIR *directory = opendir(dir);
	int ret = directory ? 0 : errno;

	if (directory)
		closedir(directory);
	return ret;
}

static int try_socket(const char *dir)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ret;

	snprintf(name.sun_path, sizeof(name.sun_path), "%s/socket", dir);
	ret = result(bind(fd, (struct sockaddr *)&name, sizeof(name)));
	close(fd);
	return ret;
}

static int try_execute(const char *dir)
{
	const char *program = at(dir, "program");
	int status;
	pid_t pid = fork();

	if (!pid) {
		execl(program, program, NULL);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

const struct attempt attempts[] = {
	{ "read", try_read, R, BY_NONE, 1 },
	{ "list", try_list, R, BY_NONE, 1 },
	{ "write", try_write, W | A, BY_READ_ONLY, 1 },
	{ "truncate", try_truncate, W, BY_READ_ONLY, 3 },
	{ "create", try_create, W | A, BY_READ_ONLY, 1 },
	{ "mkdir", try_mkdir, W | A, BY_READ_ONLY, 1 },
	{ "unlink", try_unlink, W, BY_READ_ONLY, 1 },
	{ "rmdir", try_rmdir, W, BY_READ_ONLY, 1 },
	{ "rename", try_rename, W, BY_READ_ONLY, 1 },
	{ "move to another directory", try_move, W, BY_READ_ONLY, 2 },
	{ "symlink", try_symlink, W, BY_READ_ONLY, 1 },
	{ "mkfifo", try_fifo, W, BY_READ_ONLY, 1 },
	{ "bind a socket", try_socket, W, BY_READ_ONLY, 1 },
	{ "chmod", try_chmod, 0, BY_READ_ONLY, 0 },
	{ "utimens", try_utime, 0, BY_READ_ONLY, 0 },
	{ "execute", try_execute, 0, BY_NOEXEC, 1 },
	{ "mknod", try_node, 0, BY_NOBODY, 1 },
};

const size_t nr_attempts = sizeof(attempts) / sizeof(attempts[0]);

static int put_file(const char *path, mode_t mode)
{
	FILE *file = fopen(path, "we");

	if (!file || fputs("content\n", file) < 0 || fclose(file))
		return -1;
	return chmod(path, mode);
}

static int put_directory(const char *path)
{
	return mkdir(path, 0777) || chmod(path, 0777) ? -1 : 0;
}

static int copy_program(const char *from, const char *to, mode_t mode)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t copied = 1;

	while (copied > 0)
		copied = sendfile(out, in, NULL, 1 << 20);
	close(in);
	return copied || close(out) || chmod(to, mode) ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	return remove(path);
}

int remove_place(const char *dir)
{
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int make_place(const char *dir, unsigned int uid)
{
	static const char *const files[] = { "file", "victim", "moved", "far", "own" };
	size_t i;

	if (put_directory(dir))
		return -1;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (put_file(at(dir, files[i]), 0666))
			return -1;
	if (chown(at(dir, "own"), uid, uid) || put_directory(at(dir, "sub")) ||
	    put_directory(at(dir, "empty")) || copy_program("/bin/true", at(dir, "program"), 0755) ||
	    copy_program("/usr/bin/id", at(dir, "setuid"), 04755))
		return -1;
	/* As root would have left it there by mistake: a device that anybody may open. */
	return mknod(at(dir, "tty"), S_IFCHR | 0666, makedev(5, 0)) ||
	       chmod(at(dir, "tty"), 0666) ? -1 : 0;
}

/*
 * Out of it.
 */

static int escape_path(const struct outside *outside)
{
	return open_and_close(outside->file, O_RDONLY);
}

static int escape_dots(const struct outside *outside)
{
	int root = open("/data", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[PATH_MAX];

	if (root < 0)
		root = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "../../../..%s", outside->file);
	return result(openat(root, path, O_RDONLY));
}

static int through(const char *pid, const char *link, const char *file)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/%s/%s%s", pid, link, file);
	return open_and_close(path, O_RDONLY);
}

static int escape_init_root(const struct outside *outside) { return through("1", "root", outside->file); }
static int escape_init_cwd(const struct outside *outside) { return through("1", "cwd", outside->file); }
static int escape_own_root(const struct outside *outside) { return through("self", "root", outside->file); }

static int escape_parent_root(const struct outside *outside)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getppid());
	return through(pid, "root", outside->file);
}

/* A descriptor of a directory, opened anew through its link. */
static int escape_fd_link(const struct outside *outside)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char link[32];

	snprintf(link, sizeof(link), "fd/%d", fd);
	return through("self", link, outside->file);
}

static int escape_handle(const struct outside *outside)
{
	int mount_ = open("/usr", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return result(open_by_handle_at(mount_, outside->handle, O_RDONLY));
}

static int escape_chroot(const struct outside *outside)
{
	if (chroot("/tmp"))
		return errno;
	(void)!chdir("../../../..");
	return open_and_close(outside->file, O_RDONLY);
}

static int escape_mount(const struct outside *outside)
{
	return result(mount("tmpfs", "/tmp", "tmpfs", 0, NULL));
}

static int escape_remount(const struct outside *outside)
{
	return result(mount(NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL));
}

static int escape_umount(const struct outside *outside)
{
	return result(umount2("/usr", MNT_DETACH));
}

static int escape_namespace(const struct outside *outside)
{
	return result(unshare(CLONE_NEWNS));
}

static int escape_setns(const struct outside *outside)
{
	int fd = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? errno : result(setns(fd, CLONE_NEWNS));
}

/* With the capabilities that a user namespace gives: all that is above, again. */
static int escape_user_namespace(const struct outside *outside)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return errno;
	if (!mount(NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL) || !umount2("/usr", MNT_DETACH) ||
	    !mount("proc", "/proc", "proc", 0, NULL))
		return 0;
	(void)!umount2("/", MNT_DETACH);
	if (!chroot("/tmp"))
		(void)!chdir("../../../..");
	return open_and_close(outside->file, O_RDONLY);
}

static int escape_root(const struct outside *outside)
{
	return setuid(0) ? errno : 0;
}

static int escape_groups(const struct outside *outside)
{
	const gid_t root = 0;

	return result(setgroups(1, &root));
}

static int escape_ptrace_parent(const struct outside *outside)
{
	return result(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int escape_ptrace_other(const struct outside *outside)
{
	long ret = ptrace(PTRACE_ATTACH, outside->other, NULL, NULL);

	if (!ret) {
		waitpid(outside->other, NULL, __WALL);
		ptrace(PTRACE_DETACH, outside->other, NULL, NULL);
	}
	return result(ret);
}

static int escape_other_root(const struct outside *outside)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", outside->other);
	return through(pid, "root", "/tmp");
}

static int escape_other_memory(const struct outside *outside)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", outside->other);
	return through(pid, "mem", "");
}

static int escape_signal(const struct outside *outside)
{
	if (!outside->has_scopes)
		return EPERM;
	return result(kill(outside->other, 0));
}

static int escape_kernel(const struct outside *outside)
{
	return open_and_close("/proc/sys/kernel/core_pattern", O_WRONLY);
}

static int escape_node(const struct outside *outside)
{
	return result(mknod("/tmp/null", S_IFCHR | 0666, makedev(1, 3)));
}

static int escape_root_write(const struct outside *outside)
{
	return open_and_close("/x", O_WRONLY | O_CREAT);
}

static int escape_system_write(const struct outside *outside)
{
	return open_and_close("/usr/x", O_WRONLY | O_CREAT);
}

const struct escape escapes[] = {
	{ "open it", escape_path },
	{ "by dots from a directory", escape_dots },
	{ "/proc/1/root", escape_init_root },
	{ "/proc/1/cwd", escape_init_cwd },
	{ "/proc/self/root", escape_own_root },
	{ "/proc/PARENT/root", escape_parent_root },
	{ "/proc/self/fd", escape_fd_link },
	{ "open_by_handle_at", escape_handle },
	{ "chroot", escape_chroot },
	{ "mount", escape_mount },
	{ "remount", escape_remount },
	{ "umount", escape_umount },
	{ "a mount namespace", escape_namespace },
	{ "setns", escape_setns },
	{ "setuid", escape_root },
	{ "setgroups", escape_groups },
	{ "ptrace of the parent", escape_ptrace_parent },
	{ "ptrace of another task", escape_ptrace_other },
	{ "/proc/TASK/root", escape_other_root },
	{ "/proc/TASK/mem", escape_other_memory },
	{ "a signal to another task", escape_signal },
	{ "/proc/sys", escape_kernel },
	{ "mknod", escape_node },
	{ "make a file in /", escape_root_write },
	{ "make a file in /usr", escape_system_write },
	/* Last, as it changes what the process is. */
	{ "a user namespace", escape_user_namespace },
};

const size_t nr_escapes = sizeof(escapes) / sizeof(escapes[0]);
