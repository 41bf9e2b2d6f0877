// SPDX-License-Identifier: GPL-2.0
/*
 * The walls of grants, by the attempts of tasks: what is granted works and all else is refused,
 * and each wall alone keeps what it is there for when the other is left out.
 */
#include <errno.h>
#include <linux/fs.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "attempts.h"
#include "lib/cgroup.h"
#include "lib/cleanup.h"
#include "lib/device_grants.h"
#include "lib/enclosure.h"
#include "lib/spawn.h"

#define USER	700001
#define GROUP	"/coppice-grants-test"
#define PLACE	"/mnt/place"		/* on the hub; a task's /data */
#define OUTSIDE	"/mnt/outside"

static struct error err;

/* Everything that is mounted here goes with the test. */
static bool make_world(void)
{
	return !unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("mnt", "/mnt", "tmpfs", 0, "mode=755") &&
	       !mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL) &&
	       !make_place(PLACE, USER) && !make_place(OUTSIDE, USER);
}

static bool parse(struct grants *grants, const char *format, ...)
{
	autojson json_t *object = NULL;
	char list[4096], text[8192];
	json_error_t wrong;
	va_list args;

	va_start(args, format);
	vsnprintf(list, sizeof(list), format, args);
	va_end(args);
	snprintf(text, sizeof(text), "{\"uid\": %d, \"gid\": %d, \"groups\": [700010], \"grants\": [%s]}",
		 USER, USER, list);
	object = json_loads(text, 0, &wrong);
	return object && !grants_parse(object, grants, &err);
}

static void rights_list(unsigned int rights, char text[64])
{
	int bit;

	strcpy(text, "[");
	for (bit = 0; bit < GRANT_RIGHTS; bit++)
		if (rights & 1U << bit)
			sprintf(text + strlen(text), "%s\"%s\"", text[1] ? ", " : "", grant_rights[bit]);
	strcat(text, "]");
}

/* What tasks found, in memory that they share with the test. */
struct found {
	struct error err;
	bool confined;
	int results[64];
	char text[4096];
};

static struct found *found;

static void make_found(void)
{
	if (!found)
		found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(found, 0, sizeof(*found));
}

typedef void (*task_fn)(const void *data);

static pid_t start_task(const struct grants *grants, const struct enclosure *enclosure, int cgroup,
			task_fn task, const void *data)
{
	struct user user;
	struct task_start start = { .user = &user, .enclosure = enclosure };
	pid_t pid;

	grants_user(grants, &user);
	pid = spawn_fork(cgroup, &err);
	if (!pid) {
		sigset_t none;

		if (task_become(&start, &found->err))
			_exit(1);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		/* As what resumes does it. */
		prctl(PR_SET_DUMPABLE, 1);
		found->confined = true;
		task(data);
		_exit(0);
	}
	return pid;
}

/* NULL, or what went wrong. */
static const char *run_in(const struct grants *grants, unsigned int omit, int cgroup, task_fn task,
			  const void *data)
{
	struct enclosure enclosure;
	pid_t pid;

	make_found();
	if (enclosure_open(grants, NULL, omit, &enclosure, &err))
		return err.text;
	pid = start_task(grants, &enclosure, cgroup, task, data);
	enclosure_close(&enclosure);
	if (pid < 0)
		return err.text;
	waitpid(pid, NULL, 0);
	return found->confined ? NULL : found->err.text;
}

static const char *run_task(const struct grants *grants, unsigned int omit, task_fn task,
			    const void *data)
{
	return run_in(grants, omit, -1, task, data);
}

#define EXPECT_STARTS(call) do {					\
	const char *_why = (call);					\
	ASSERT_EQ(NULL, _why) TH_LOG("no task: %s", _why);		\
} while (0)

FIXTURE(wall) {
	struct grants grants;
	int abi;
};

FIXTURE_SETUP(wall)
{
	if (geteuid())
		SKIP(return, "it takes root to confine anybody");
	ASSERT_TRUE(make_world()) TH_LOG("no world: %s", strerror(errno));
	self->abi = landlock_abi();
}

FIXTURE_TEARDOWN(wall)
{
	grants_free(&self->grants);
}

/*
 * Each right.
 */

static void try_all(const void *dir)
{
	size_t i;

	for (i = 0; i < nr_attempts; i++)
		found->results[i] = attempts[i].try(dir);
}

static bool mounts_allow(const struct attempt *attempt, unsigned int rights)
{
	switch (attempt->by_mount) {
	case BY_NONE:
		return true;
	case BY_READ_ONLY:
		return rights & (GRANT_WRITE | GRANT_APPEND);
	default:
		return false;
	}
}

static bool landlock_allows(const struct attempt *attempt, unsigned int rights, int abi)
{
	if (attempt->by_mount == BY_NOBODY)
		return false;
	return !attempt->since || abi < attempt->since || attempt->rights & rights;
}

static bool is_allowed(const struct attempt *attempt, unsigned int rights, unsigned int omit, int abi)
{
	return (omit & ENCLOSURE_NO_MOUNTS || mounts_allow(attempt, rights)) &&
	       (omit & ENCLOSURE_NO_LANDLOCK || landlock_allows(attempt, rights, abi));
}

static void remake_place(void)
{
	if (remove_place(PLACE) || make_place(PLACE, USER))
		abort();
}

static void check_rights(struct __test_metadata *_metadata, FIXTURE_DATA(wall) *self,
			 unsigned int rights, unsigned int omit)
{
	char list[64];
	size_t i;

	rights_list(rights, list);
	remake_place();
	ASSERT_TRUE(parse(&self->grants, "{\"kind\": \"path\", \"source\": \"" PLACE "\", \"target\": \"/data\", \"rights\": %s}",
			  list));
	EXPECT_STARTS(run_task(&self->grants, omit, try_all,
			       omit & ENCLOSURE_NO_MOUNTS ? PLACE : "/data"));
	for (i = 0; i < nr_attempts; i++) {
		bool allowed = is_allowed(&attempts[i], rights, omit, self->abi);

		EXPECT_EQ(allowed, !found->results[i])
			TH_LOG("%s with %s, left out %u: %s", attempts[i].name, list, omit,
			       strerror(found->results[i]));
	}
	grants_free(&self->grants);
}

static void check_all_rights(struct __test_metadata *_metadata, FIXTURE_DATA(wall) *self,
			     unsigned int omit)
{
	static const unsigned int all[] = {
		GRANT_READ, GRANT_WRITE, GRANT_APPEND, GRANT_TRAVERSE, GRANT_READ | GRANT_WRITE,
		GRANT_READ | GRANT_APPEND,
	};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		check_rights(_metadata, self, all[i], omit);
}

TEST_F(wall, each_right_allows_what_it_says)
{
	check_all_rights(_metadata, self, 0);
}

TEST_F(wall, mounts_alone_keep_what_is_not_to_be_written)
{
	check_all_rights(_metadata, self, ENCLOSURE_NO_LANDLOCK);
}

TEST_F(wall, landlock_alone_keeps_each_right)
{
	if (!self->abi)
		SKIP(return, "this kernel has no Landlock");
	check_all_rights(_metadata, self, ENCLOSURE_NO_MOUNTS);
}

/*
 * Ways out.
 */

struct way {
	struct outside outside;
	unsigned int omit;
};

/* Without Landlock, tasks of one user are not kept from each other. */
static bool needs_landlock(const struct escape *escape)
{
	return strstr(escape->name, "another task") || strstr(escape->name, "TASK");
}

static void try_escapes(const void *data)
{
	const struct way *way = data;
	size_t i;

	for (i = 0; i < nr_escapes; i++) {
		errno = 0;
		found->results[i] = way->omit & ENCLOSURE_NO_LANDLOCK && needs_landlock(&escapes[i]) ?
			EPERM : escapes[i].try(&way->outside);
	}
}

static void wait_to_be_killed(const void *data)
{
	while (1)
		pause();
}

static struct file_handle *handle_of(const char *path)
{
	struct file_handle *handle = calloc(1, sizeof(*handle) + MAX_HANDLE_SZ);
	int mount_;

	handle->handle_bytes = MAX_HANDLE_SZ;
	/* A file system without handles has none to get out by. */
	if (name_to_handle_at(AT_FDCWD, path, handle, &mount_, 0))
		handle->handle_bytes = 0;
	return handle;
}

static void check_escapes(struct __test_metadata *_metadata, FIXTURE_DATA(wall) *self,
			  unsigned int omit)
{
	struct way way = { { .file = OUTSIDE "/file", .has_scopes = self->abi >= 6 }, omit };
	struct enclosure enclosure;
	size_t i;

	ASSERT_TRUE(parse(&self->grants, "{\"kind\": \"path\", \"source\": \"" PLACE "\", \"target\": \"/data\", \"rights\": [\"read\", \"write\"]}"));
	way.outside.handle = handle_of(way.outside.file);
	make_found();
	ASSERT_EQ(0, enclosure_open(&self->grants, NULL, omit, &enclosure, &err)) TH_LOG("%s", err.text);
	way.outside.other = start_task(&self->grants, &enclosure, -1, wait_to_be_killed, NULL);
	ASSERT_LT(0, way.outside.other);
	while (!*(volatile bool *)&found->confined)
		usleep(1000);
	EXPECT_STARTS(run_task(&self->grants, omit, try_escapes, &way));
	for (i = 0; i < nr_escapes; i++)
		EXPECT_NE(0, found->results[i]) TH_LOG("%s gets out, left out %u", escapes[i].name, omit);
	kill(way.outside.other, SIGKILL);
	waitpid(way.outside.other, NULL, 0);
	enclosure_close(&enclosure);
	free(way.outside.handle);
}

TEST_F(wall, no_way_leads_out)
{
	check_escapes(_metadata, self, 0);
}

TEST_F(wall, no_way_leads_out_without_landlock)
{
	check_escapes(_metadata, self, ENCLOSURE_NO_LANDLOCK);
}

TEST_F(wall, no_way_leads_out_without_mounts)
{
	if (!self->abi)
		SKIP(return, "this kernel has no Landlock");
	check_escapes(_metadata, self, ENCLOSURE_NO_MOUNTS);
}

/*
 * Who the task is.
 */

static void tell_status(const void *data)
{
	FILE *file = fopen("/proc/self/status", "re");

	found->results[0] = file ? 0 : errno;
	found->results[1] = prctl(PR_GET_SECUREBITS);
	found->results[2] = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
	found->results[3] = umask(0);
	if (file)
		(void)!fread(found->text, 1, sizeof(found->text) - 1, file);
}

TEST_F(wall, numbers_are_enough_and_nothing_is_kept)
{
	static const char *const lines[] = {
		"Uid:\t700001\t700001\t700001\t700001\n", "Gid:\t700001\t700001\t700001\t700001\n",
		"Groups:\t700010 \n", "NoNewPrivs:\t1\n", "CapInh:\t0000000000000000\n",
		"CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n",
		"CapBnd:\t0000000000000000\n", "CapAmb:\t0000000000000000\n",
	};
	int keyring = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
	size_t i;

	ASSERT_TRUE(parse(&self->grants, ""));
	EXPECT_STARTS(run_task(&self->grants, 0, tell_status, NULL));
	ASSERT_EQ(0, found->results[0]);
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		EXPECT_TRUE(strstr(found->text, lines[i])) TH_LOG("line %zu: %s", i, found->text);
	EXPECT_NE(0, found->results[1]);
	EXPECT_EQ(027, found->results[3]);
	if (keyring > 0)
		EXPECT_NE(keyring, found->results[2]);
}

/* The program says who it is; and that it runs at all is because code may be run. */
static void run_setuid(const void *data)
{
	int ends[2], status;
	pid_t pid;

	(void)!pipe(ends);
	pid = fork();
	if (!pid) {
		dup2(ends[1], 1);
		execl("/code/setuid", "id", "-u", NULL);
		_exit(126);
	}
	close(ends[1]);
	(void)!read(ends[0], found->text, sizeof(found->text) - 1);
	waitpid(pid, &status, 0);
	found->results[0] = WEXITSTATUS(status);
}

TEST_F(wall, code_runs_and_setuid_means_nothing)
{
	ASSERT_TRUE(parse(&self->grants, "{\"kind\": \"code\", \"source\": \"" PLACE "\", \"target\": \"/code\", \"rights\": [\"read\"]}"));
	EXPECT_STARTS(run_task(&self->grants, 0, run_setuid, NULL));
	EXPECT_EQ(0, found->results[0]);
	EXPECT_STREQ("700001\n", found->text);
}

static void look_around(const void *data)
{
	found->results[0] = open("/tmp/mine", O_WRONLY | O_CREAT | O_EXCL, 0600) < 0 ? errno : 0;
	found->results[1] = open("/dev/shm/mine", O_RDONLY) < 0 ? errno : 0;
	found->results[2] = access("/etc/passwd", F_OK) ? errno : 0;
	found->results[3] = open("/dev/null", O_RDWR) < 0 ? errno : 0;
	found->results[4] = access("/proc/1/status", F_OK) ? errno : 0;
	found->results[5] = access("/home", F_OK) ? errno : 0;
	found->results[6] = access("/proc/meminfo", F_OK) ? errno : 0;
	(void)!getcwd(found->text, sizeof(found->text));
}

TEST_F(wall, a_task_has_its_own_tmp_and_nothing_of_the_hub)
{
	struct enclosure enclosure;
	int i;

	ASSERT_TRUE(parse(&self->grants, ""));
	ASSERT_EQ(0, enclosure_open(&self->grants, NULL, 0, &enclosure, &err)) TH_LOG("%s", err.text);
	/* The second would find the first one's file. */
	for (i = 0; i < 2; i++) {
		make_found();
		ASSERT_LT(0, start_task(&self->grants, &enclosure, -1, look_around, NULL));
		wait(NULL);
		ASSERT_TRUE(found->confined) TH_LOG("%s", found->err.text);
		EXPECT_EQ(0, found->results[0]);
		EXPECT_EQ(0, found->results[1]);
		EXPECT_EQ(ENOENT, found->results[2]);
		EXPECT_EQ(0, found->results[3]);
		EXPECT_EQ(ENOENT, found->results[4]);
		EXPECT_EQ(ENOENT, found->results[5]);
		EXPECT_EQ(ENOENT, found->results[6]);
		EXPECT_STREQ("/", found->text);
	}
	EXPECT_NE(0, access("/tmp/mine", F_OK));
	enclosure_close(&enclosure);
}

/*
 * Devices.
 */

static void open_devices(const void *prefix)
{
	static const struct {
		const char *path;
		int flags;
	} all[] = {
		{ "/dev/null", O_RDWR }, { "/dev/zero", O_RDONLY }, { "/data/tty", O_RDONLY },
		{ "/dev/mine", O_RDONLY }, { "/dev/mine", O_WRONLY },
	};
	size_t i;

	/* Then the driver answers that there is no terminal, whenever it is asked. */
	setsid();
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		found->results[i] = open(all[i].path, all[i].flags | O_NONBLOCK) < 0 ? errno : 0;
	found->results[5] = open(PLACE "/tty", O_RDONLY | O_NONBLOCK) < 0 ? errno : 0;
	found->results[6] = open(PLACE "/tty", O_WRONLY | O_NONBLOCK) < 0 ? errno : 0;
}

static int open_group(void)
{
	const struct cgroup_limits none = {};
	bool made;

	return cgroup_make(GROUP, &none, &made, &err) ? -1 : cgroup_open(GROUP, &err);
}

#define READ_PLACE	"{\"kind\": \"path\", \"source\": \"" PLACE "\", \"target\": \"/data\", \"rights\": [\"read\"]}"
#define READ_TTY	"{\"kind\": \"device\", \"source\": \"" PLACE "/tty\", \"target\": \"/dev/mine\", \"rights\": [\"read\"]}"

TEST_F(wall, devices_are_those_granted_and_five)
{
	char path[PATH_MAX];
	int cgroup = open_group();

	ASSERT_LE(0, cgroup) TH_LOG("%s", err.text);
	ASSERT_EQ(0, cgroup_path(GROUP, path, &err));
	ASSERT_TRUE(parse(&self->grants, READ_PLACE ", " READ_TTY));
	ASSERT_EQ(0, device_grants_set("grants.test", path, &self->grants, &err)) TH_LOG("%s", err.text);
	EXPECT_TRUE(device_grants_attached("grants.test"));
	EXPECT_STARTS(run_in(&self->grants, 0, cgroup, open_devices, NULL));
	EXPECT_EQ(0, found->results[0]);
	EXPECT_EQ(0, found->results[1]);
	EXPECT_EQ(EACCES, found->results[2]);	/* by the mount: nodev */
	EXPECT_EQ(ENXIO, found->results[3]);
	EXPECT_EQ(EACCES, found->results[4]);

	/* Without mounts it is the cgroup's program alone, as Landlock lets what is there be read. */
	EXPECT_STARTS(run_in(&self->grants, ENCLOSURE_NO_MOUNTS, cgroup, open_devices, NULL));
	EXPECT_EQ(ENXIO, found->results[5]);
	EXPECT_STARTS(run_in(&self->grants, ENCLOSURE_NO_MOUNTS | ENCLOSURE_NO_LANDLOCK, cgroup,
			     open_devices, NULL));
	EXPECT_EQ(EPERM, found->results[6]);
	grants_free(&self->grants);
	ASSERT_TRUE(parse(&self->grants, READ_PLACE));
	ASSERT_EQ(0, device_grants_set("grants.test", path, &self->grants, &err)) TH_LOG("%s", err.text);
	EXPECT_STARTS(run_in(&self->grants, ENCLOSURE_NO_MOUNTS, cgroup, open_devices, NULL));
	EXPECT_EQ(EPERM, found->results[5]);

	ASSERT_EQ(0, device_grants_forget("grants.test", &err)) TH_LOG("%s", err.text);
	EXPECT_FALSE(device_grants_attached("grants.test"));
	EXPECT_STARTS(run_in(&self->grants, ENCLOSURE_NO_MOUNTS, cgroup, open_devices, NULL));
	EXPECT_EQ(ENXIO, found->results[5]);
	close(cgroup);
	ASSERT_EQ(0, cgroup_destroy(GROUP, &err));
}

/*
 * Sources that are not what was granted, and targets that are none.
 */

TEST_F(wall, what_was_granted_is_an_object_not_a_name)
{
	struct stat st;

	ASSERT_EQ(0, stat(PLACE, &st));
	ASSERT_TRUE(parse(&self->grants, "{\"kind\": \"path\", \"source\": \"" PLACE "\", \"target\": \"/data\", \"rights\": [\"read\"], \"device\": %llu, \"inode\": %llu}",
			  (unsigned long long)st.st_dev, (unsigned long long)st.st_ino));
	EXPECT_STARTS(run_task(&self->grants, 0, try_all, "/data"));
	EXPECT_EQ(0, found->results[0]);

	/* Swapped for a directory that somebody else made there, then for a link. */
	ASSERT_EQ(0, rename(PLACE, PLACE ".old"));
	ASSERT_EQ(0, make_place(PLACE, USER));
	EXPECT_NE(NULL, strstr(run_task(&self->grants, 0, try_all, "/data") ?: "", "not what was granted"));
	ASSERT_EQ(0, rename(PLACE, PLACE ".new"));
	ASSERT_EQ(0, symlink(OUTSIDE, PLACE));
	EXPECT_NE(NULL, strstr(run_task(&self->grants, 0, try_all, "/data") ?: "", "symbolic link"));
	grants_free(&self->grants);
	ASSERT_TRUE(parse(&self->grants, "{\"kind\": \"path\", \"source\": \"" PLACE "/file\", \"target\": \"/data\", \"rights\": [\"read\"]}"));
	EXPECT_NE(NULL, strstr(run_task(&self->grants, 0, try_all, "/data") ?: "", "symbolic link"));
}

TEST_F(wall, targets_leave_the_hub_as_it_is)
{
	static const struct {
		const char *target, *word;
	} wrong[] = {
		{ "/bin/x", "symbolic link" }, { "/usr/coppice-no-such", "no such place" },
		{ "/data/no-such", "no such place" }, { "/etc/hosts", "a file" },
	};
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ASSERT_TRUE(parse(&self->grants, READ_PLACE ", {\"kind\": \"path\", \"source\": \"" PLACE "/sub\", \"target\": \"%s\", \"rights\": [\"read\", \"write\"]}",
				  wrong[i].target)) TH_LOG("%s", err.text);
		EXPECT_NE(NULL, strstr(run_task(&self->grants, 0, try_all, "/data") ?: "", wrong[i].word))
			TH_LOG("%s: %s", wrong[i].target, err.text);
		grants_free(&self->grants);
	}
	EXPECT_NE(0, access(PLACE "/no-such", F_OK));
	EXPECT_NE(0, access("/usr/coppice-no-such", F_OK));
}

/*
 * Owners and ends.
 */

static void use_mapped(const void *data)
{
	int fd = open("/data/private", O_RDWR);

	found->results[0] = fd < 0 ? errno : 0;
	fd = open("/data/made", O_WRONLY | O_CREAT, 0600);
	found->results[1] = fd < 0 ? errno : 0;
	fd = open("/data/alien", O_RDONLY);
	found->results[2] = fd < 0 ? errno : 0;
}

static bool put_owned(const char *path, unsigned int uid)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	return fd >= 0 && !fchown(fd, uid, uid) && !close(fd);
}

TEST_F(wall, owners_are_mapped_without_chown)
{
	const char *why;
	struct stat st;

	/* In a directory of who is not mapped nothing can be made. */
	ASSERT_EQ(0, chown(PLACE, 1234, 1234));
	ASSERT_TRUE(put_owned(PLACE "/private", 1234) && put_owned(PLACE "/alien", 1235));
	ASSERT_TRUE(parse(&self->grants, "{\"kind\": \"path\", \"source\": \"" PLACE "\", \"target\": \"/data\", \"rights\": [\"read\", \"write\"], \"idmap\": {\"uids\": [{\"host\": 1234, \"task\": %d}], \"gids\": [{\"host\": 1234, \"task\": %d}]}}",
			  USER, USER));
	why = run_task(&self->grants, 0, use_mapped, NULL);
	/* Of tmpfs the kernel maps owners since 6.3. */
	if (why && strstr(why, "cannot be mapped on this kernel"))
		SKIP(return, "this kernel does not map the owners of a tmpfs");
	EXPECT_STARTS(why);
	EXPECT_EQ(0, found->results[0]);
	EXPECT_EQ(0, found->results[1]) TH_LOG("%s", strerror(found->results[1]));
	EXPECT_EQ(EACCES, found->results[2]);
	ASSERT_EQ(0, stat(PLACE "/made", &st));
	EXPECT_EQ(1234, st.st_uid);
	ASSERT_EQ(0, stat(PLACE "/private", &st));
	EXPECT_EQ(1234, st.st_uid);
}

static void write_log(const void *data)
{
	int fd = open("/log", O_WRONLY | O_APPEND);

	found->results[0] = fd >= 0 && write(fd, "x", 1) == 1 ? 0 : errno;
	found->results[1] = fcntl(fd, F_SETFL, 0) ? errno : 0;
	found->results[2] = open("/log", O_WRONLY) < 0 ? errno : 0;
	found->results[3] = truncate("/log", 0) ? errno : 0;
	found->results[4] = open("/log", O_RDONLY) < 0 ? errno : 0;
}

static int set_append(const char *path, bool on)
{
	int fd = open(path, O_RDONLY), flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return -1;
	flags = on ? flags | FS_APPEND_FL : flags & ~FS_APPEND_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) | close(fd);
}

TEST_F(wall, who_may_append_to_a_file_changes_nothing_in_it)
{
	ASSERT_TRUE(parse(&self->grants, "{\"kind\": \"path\", \"source\": \"" PLACE "/file\", \"target\": \"/log\", \"rights\": [\"append\"]}"));
	EXPECT_NE(NULL, strstr(run_task(&self->grants, 0, write_log, NULL) ?: "", "chattr +a"));
	if (set_append(PLACE "/file", true))
		SKIP(return, "this kernel's tmpfs has no attribute for appending");
	EXPECT_STARTS(run_task(&self->grants, 0, write_log, NULL));
	EXPECT_EQ(0, found->results[0]);
	EXPECT_EQ(EPERM, found->results[1]);
	EXPECT_EQ(EPERM, found->results[2]);
	EXPECT_NE(0, found->results[3]);
	EXPECT_EQ(self->abi ? EACCES : 0, found->results[4]);
	ASSERT_EQ(0, set_append(PLACE "/file", false));
}

/* What the test mounts later is not to come through with other flags than were granted. */
static void write_later(const void *data)
{
	found->results[0] = access("/data/sub/later", F_OK) ? errno : 0;
}

TEST_F(wall, what_is_mounted_later_is_not_granted)
{
	struct enclosure enclosure;

	ASSERT_EQ(0, mount(NULL, "/mnt", NULL, MS_SHARED, NULL));
	ASSERT_TRUE(parse(&self->grants, READ_PLACE));
	ASSERT_EQ(0, enclosure_open(&self->grants, NULL, 0, &enclosure, &err)) TH_LOG("%s", err.text);
	ASSERT_EQ(0, mount("later", PLACE "/sub", "tmpfs", 0, "mode=777"));
	ASSERT_LE(0, open(PLACE "/sub/later", O_WRONLY | O_CREAT, 0666));
	make_found();
	ASSERT_LT(0, start_task(&self->grants, &enclosure, -1, write_later, NULL));
	wait(NULL);
	ASSERT_TRUE(found->confined) TH_LOG("%s", found->err.text);
	EXPECT_EQ(ENOENT, found->results[0]);
	enclosure_close(&enclosure);
	umount2(PLACE "/sub", MNT_DETACH);
}

TEST_HARNESS_MAIN
