/* SPDX-License-Identifier: GPL-2.0 */
/* Private to library*.c: what the kinds of libraries have in common. */
#ifndef COPPICE_LIBRARY_PARTS_H
#define COPPICE_LIBRARY_PARTS_H

#include <stdint.h>

#include "library.h"

enum library_kind { LIBRARY_NONE, LIBRARY_ELF, LIBRARY_PYTHON, LIBRARY_NODE };

/* A merged library while it is made. */
struct library {
	const struct library_request *request;
	enum library_kind kind;
	char provider[PATH_MAX];	/* as found: no links, no dots */
	char local[PATH_MAX];
	char directory[PATH_MAX];
	json_t *record;
};

/* Each fills in the directory and the record, all but what library_make() knows. */
int __must_check library_make_elf(struct library *library, struct error *err);
int __must_check library_make_python(struct library *library, struct error *err);
int __must_check library_make_node(struct library *library, struct error *err);

/* Text behind the last slash. */
const char *library_base(const char *path);
/* DIRECTORY/SUB/NAME, with SUB made if it is missing. */
int __must_check library_place(const struct library *library, const char *sub, const char *name,
			       char path[PATH_MAX], struct error *err);
int __must_check library_write(const char *path, const void *data, size_t len, struct error *err);

/* Note that @source is laid over @target, a file that must stay as it is. */
int __must_check library_cover(const struct library *library, const char *source,
			       const char *target, struct error *err);
/* Add @text to the list @key of the record. */
int __must_check library_note(const struct library *library, const char *key, const char *text,
			      struct error *err);
/* With all noted: is there something overridden, and is what falls through allowed? */
int __must_check library_check_lists(const struct library *library, struct error *err);

/* The three lists of @answer, and the check. */
int __must_check library_take_lists(const struct library *library, const json_t *answer,
				    struct error *err);

/* A file, or a directory with all that is in it. Links to outside of it are refused. */
int __must_check library_copy(const char *from, const char *to, struct error *err);

/*
 * Run a program as the user, with the library's mounts if @merged, without network, and read the
 * JSON object that it prints. Its member "refused" becomes the error.
 */
json_t *library_ask(const struct library *library, char *const *argv, bool merged,
		    struct error *err);
/* The same for text, which the caller frees. */
char *library_output(const struct library *library, char *const *argv, char *const *envp,
		     bool merged, struct error *err);

/*
 * Symbols of a shared object, as others see them.
 */
struct symbol {
	const char *name;
	const char *version;	/* or NULL */
	bool hidden;		/* not the version that is linked with by default */
	uint8_t type;		/* STT_ */
	uint64_t size;
};

struct interface {
	int fd;
	void *elf;		/* owns the texts */
	const char *soname;	/* or NULL */
	struct symbol *symbols;	/* sorted by name */
	size_t nr;
	const char **versions;	/* that it defines, without that of its file */
	size_t nr_versions;
};

#define INTERFACE_CLOSED	{ .fd = -1 }

/* Refuses, with what is wrong, all but a shared object of this hub. */
int __must_check interface_read(struct interface *interface, const char *path,
				struct error *err);
void interface_free(struct interface *interface);
/* The first of this name; those that follow it in the array may have it too. */
const struct symbol *interface_find(const struct interface *interface, const char *name);

/*
 * A shared object without code: it has the soname and versions of @provider, and needs the objects
 * @first and @second in this order, where all symbols are found.
 */
int __must_check stub_write(const char *path, const struct interface *provider,
			    const char *first, const char *second, struct error *err);

#endif /* COPPICE_LIBRARY_PARTS_H */
