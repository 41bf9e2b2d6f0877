// SPDX-License-Identifier: GPL-2.0
/* coppice top: groups, tasks or functions by what they take, live on a terminal. */
#include <errno.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "describe.h"
#include "function.h"
#include "lib/cleanup.h"
#include "lib/name.h"

enum { OPTION_SORT = 256, OPTION_TASKS, OPTION_FUNCTIONS, OPTION_ONCE, OPTION_INTERVAL };

static const struct argp_option options[] = {
	{ .name = "tasks", .key = OPTION_TASKS, .doc = "show tasks instead of groups" },
	{ .name = "functions", .key = OPTION_FUNCTIONS,
	  .doc = "show functions instead of groups, with what the group of each takes" },
	{ .name = "sort", .key = OPTION_SORT, .arg = "KEY",
	  .doc = "sort by this key, the greatest first (default: private_bytes)" },
	{ .name = "interval", .key = OPTION_INTERVAL, .arg = "SECONDS",
	  .doc = "refresh so often (default: 2)" },
	{ .name = "once", .key = OPTION_ONCE, .doc = "print one list and end, as without a terminal" },
	{}
};

/* Titles and keys are the same for all where they mean the same. */
#define USAGE_COLUMNS \
	{ "shared_bytes", "SHARED", COLUMN_BYTES }, \
	{ "private_bytes", "PRIVATE", COLUMN_BYTES }, \
	{ "copied_bytes", "COPIED", COLUMN_BYTES }, \
	{ "own_bytes", "OWN", COLUMN_BYTES }, \
	{ "table_bytes", "TABLES", COLUMN_BYTES }, \
	{ "given_back", "GIVEN-BACK", COLUMN_NUMBER }, \
	{ "faults", "FAULTS", COLUMN_NUMBER }

static const struct column group_columns[] = {
	{ "name", "GROUP", COLUMN_TEXT },
	{ "image", "IMAGE", COLUMN_TEXT },
	{ "tasks", "TASKS", COLUMN_NUMBER },
	USAGE_COLUMNS,
	{ "saved_bytes", "SAVED", COLUMN_BYTES },
	{}
};

static const struct column task_columns[] = {
	{ "group", "GROUP", COLUMN_TEXT },
	{ "pid", "PID", COLUMN_NUMBER },
	{ "age_ms", "AGE/MS", COLUMN_NUMBER },
	USAGE_COLUMNS,
	{}
};

static const struct column function_columns[] = {
	{ "name", "FUNCTION", COLUMN_TEXT },
	{ "group", "GROUP", COLUMN_TEXT },
	{ "runtime", "RUNTIME", COLUMN_TEXT },
	{ "priority", "PRIORITY", COLUMN_NUMBER },
	{ "tasks", "TASKS", COLUMN_NUMBER },
	USAGE_COLUMNS,
	{ "saved_bytes", "SAVED", COLUMN_BYTES },
	{}
};

enum subject { GROUPS, TASKS, FUNCTIONS, NR_SUBJECTS };

static const struct {
	const char *name;
	const struct column *columns;
} subjects[] = {
	[GROUPS] = { "groups", group_columns },
	[TASKS] = { "tasks", task_columns },
	[FUNCTIONS] = { "functions", function_columns },
};

struct top {
	struct context *ctx;
	const char *group;	/* NULL: all */
	const char *sort;
	enum subject subject;
	bool once;
	uint64_t interval;
};

static const struct column *columns_of(const struct top *top)
{
	return subjects[top->subject].columns;
}

static int option(int key, char *arg, void *data, struct error *err)
{
	struct top *top = data;

	switch (key) {
	case OPTION_SORT:
		top->sort = arg;
		return 0;
	case OPTION_TASKS:
		top->subject = TASKS;
		return 0;
	case OPTION_FUNCTIONS:
		top->subject = FUNCTIONS;
		return 0;
	case OPTION_ONCE:
		top->once = true;
		return 0;
	case OPTION_INTERVAL:
		return number_parse("a number of seconds", arg, 3600, &top->interval, err);
	}
	if (top->group)
		return error_usage(err, "'%.80s' is one argument too many after '%.80s'", arg, top->group);
	top->group = arg;
	return 0;
}

/* Its place among the columns, or -1. */
static int sort_column(const struct top *top)
{
	const struct column *columns = columns_of(top);
	int i;

	for (i = 0; columns[i].key; i++)
		if (!strcmp(columns[i].key, top->sort))
			return i;
	return -1;
}

/*
 * Collecting.
 */

struct collection {
	const struct top *top;
	json_t *rows;
	struct error *err;
};

static int add_group(const struct group_info *info, void *data)
{
	const struct collection *to = data;
	json_t *row;

	if (to->top->group && strcmp(to->top->group, info->name))
		return 0;
	row = describe_group_usage(to->top->ctx, info, to->err);
	return row ? json_array_append_new(to->rows, row) : -1;
}

static int add_task(const struct task_info *info, void *data)
{
	const struct collection *to = data;
	json_t *row = describe_task_usage(to->top->ctx, info, to->err);

	return row ? json_array_append_new(to->rows, row) : -1;
}

/* A group that is not there has nothing. */
static int add_function(const struct function *function, void *data)
{
	const struct collection *to = data;
	const struct backend *backend = to->top->ctx->backend;
	json_t *row = function_row(to->top->ctx, function), *usage = NULL;
	const char *name = json_string_value(json_object_get(row, "group"));
	struct group_info group;
	struct error ignored;

	if (!row || (to->top->group && strcmp(to->top->group, name))) {
		json_decref(row);
		return 0;
	}
	if (!backend->group_get(name, &group, &ignored))
		usage = describe_group_usage(to->top->ctx, &group, &ignored);
	json_object_update_missing(row, usage);
	json_decref(usage);
	return json_array_append_new(to->rows, row);
}

/* qsort() hands nothing through. */
static const char *sort_key;

static int compare(const void *a, const void *b)
{
	json_t *left = json_object_get(*(json_t *const *)a, sort_key);
	json_t *right = json_object_get(*(json_t *const *)b, sort_key);

	if (json_is_string(left))
		return strcmp(json_string_value(left), json_string_value(right));
	return (json_integer_value(left) < json_integer_value(right)) -
	       (json_integer_value(left) > json_integer_value(right));
}

static json_t *sorted(const json_t *rows, const char *key)
{
	size_t i, nr = json_array_size(rows);
	autofree json_t **items = calloc(nr + 1, sizeof(*items));
	json_t *result = json_array();

	for (i = 0; items && i < nr; i++)
		items[i] = json_array_get(rows, i);
	sort_key = key;
	if (items)
		qsort(items, nr, sizeof(*items), compare);
	for (i = 0; items && i < nr; i++)
		json_array_append(result, items[i]);
	return result;
}

static int collect_of(const struct top *top, struct collection *to, struct error *err)
{
	const struct backend *backend = top->ctx->backend;

	if (top->subject == FUNCTIONS)
		return function_each(add_function, to, err);
	return top->subject == TASKS ? backend->task_each(top->group, add_task, to, err) :
				       backend->group_each(add_group, to, err);
}

static json_t *collect(const struct top *top, struct error *err)
{
	autojson json_t *rows = json_array();
	struct collection to = { top, rows, err };

	if (collect_of(top, &to, err))
		return NULL;
	return sorted(rows, top->sort);
}

/*
 * Showing.
 */

/* The library's own variables, and what stands for functions with them, are not there before it is loaded: lib/late.h. */
static void draw(WINDOW *window, const struct top *top, const json_t *rows)
{
	const struct column *columns = columns_of(top);
	autofree char *text = NULL;
	char *line, *rest;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	int y = 2;

	if (!file)
		return;
	output_table(file, false, rows, columns);
	fclose(file);
	werase(window);
	mvwprintw(window, 0, 0, "coppice top: %zu %s by %s   < > sort   t groups/tasks/functions   q end",
		 json_array_size(rows), subjects[top->subject].name,
		 columns[sort_column(top)].title);
	rest = text;
	while ((line = strsep(&rest, "\n")) && y < getmaxy(window)) {
		if (y == 2)
			wattr_on(window, A_BOLD, NULL);
		mvwaddnstr(window, y++, 0, line, getmaxx(window));
		wattr_off(window, A_BOLD, NULL);
	}
	wrefresh(window);
}

/* False to end. */
static bool press(struct top *top, int key)
{
	const struct column *columns;
	int at = sort_column(top);

	if (key == 't')
		top->subject = (top->subject + 1) % NR_SUBJECTS;
	columns = columns_of(top);
	if (key == '>' && columns[at + 1].key)
		top->sort = columns[at + 1].key;
	if (key == '<' && at > 0)
		top->sort = columns[at - 1].key;
	/* Not all columns are of all. */
	if (sort_column(top) < 0)
		top->sort = "private_bytes";
	return key != 'q';
}

static int live(struct top *top, struct error *err)
{
	bool go_on = true;
	WINDOW *window;
	json_t *rows;

	window = initscr();
	cbreak();
	noecho();
	curs_set(0);
	wtimeout(window, top->interval * 1000);
	while (go_on && (rows = collect(top, err))) {
		draw(window, top, rows);
		json_decref(rows);
		go_on = press(top, wgetch(window));
	}
	endwin();
	return go_on ? -1 : 0;
}

static int print_once(const struct top *top, struct error *err)
{
	autojson json_t *rows = collect(top, err);

	return rows ? output_rows(top->ctx, rows, columns_of(top), err) : -1;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct top top = { .ctx = ctx, .sort = "private_bytes", .interval = 2 };
	struct group_info group;

	if (cmd_parse(&cmd_top, argc, argv, option, &top, err))
		return -1;
	if (sort_column(&top) < 0)
		return error_usage(err, "'%.80s' is no key to sort by: `coppice top --once --json` shows the keys",
				   top.sort);
	if (!top.interval)
		return error_usage(err, "--interval 0 would never pause: give 1 or more seconds");
	if (top.group && ctx->backend->group_get(top.group, &group, err))
		return -1;
	return top.once || ctx->json || !ctx->colour ? print_once(&top, err) : live(&top, err);
}

const struct command cmd_top = {
	.object = "top",
	.args = "[GROUP] [--tasks] [--functions] [--sort KEY] [--interval SECONDS] [--once]",
	.summary = "Show what groups, tasks or functions take, live",
	.help = "SHARED are pages of the image that are mapped, PRIVATE what is the tasks' alone: COPIED "
		"in place of the image's pages, OWN otherwise, and page TABLES. SAVED is what sharing "
		"spares the hub: SHARED less the image. Keys: < and > choose the column to sort by, t "
		"switches between groups, tasks and functions, q ends. Of functions the memory is that of all tasks "
		"of their group.",
	.options = options,
	.needs_backend = true,
	.run = run,
};
