// SPDX-License-Identifier: GPL-2.0
/* What commands print: a JSON value, as it is or as text with columns. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "cmd/cmd.h"
#include "json_text.h"

#define BOLD	"\033[1m"
#define PLAIN	"\033[0m"
#define CELL	256		/* bytes of a cell's text that are shown */

static bool progress_shown;

static void progress_clear(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

void output_progress(const struct context *ctx, const char *format, ...)
{
	va_list args;

	if (!ctx->progress)
		return;
	progress_clear();
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	/* An empty text only takes the last one away. */
	progress_shown = *format;
	fflush(stderr);
}

static void format_bytes(json_int_t bytes, char cell[CELL])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double value = bytes;
	size_t unit = 0;

	while ((value >= 1024 || value <= -1024) && unit < 4) {
		value /= 1024;
		unit++;
	}
	snprintf(cell, CELL, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

/* Texts come from images and tasks: nothing in them may steer a terminal. */
static void format_text(const char *text, char cell[CELL])
{
	size_t i;

	for (i = 0; i < CELL - 1 && text[i]; i++)
		cell[i] = (unsigned char)text[i] < ' ' || text[i] == 127 ? '?' : text[i];
	cell[i] = '\0';
}

static void format_cell(const json_t *value, const struct column *column, char cell[CELL])
{
	if (json_is_string(value))
		format_text(json_string_value(value), cell);
	else if (json_is_integer(value) && column->kind == COLUMN_BYTES)
		format_bytes(json_integer_value(value), cell);
	else if (json_is_integer(value))
		snprintf(cell, CELL, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_boolean(value))
		snprintf(cell, CELL, "%s", json_is_true(value) ? "yes" : "no");
	else
		snprintf(cell, CELL, "-");
}

static int refuse_output(struct error *err)
{
	return error_set(err, errno, "the output cannot be written: %s", strerror(errno));
}

static int print_json(const json_t *value, size_t flags, struct error *err)
{
	autofree char *text = json_text(value, flags | JSON_ENCODE_ANY);

	return text && puts(text) != EOF && !fflush(stdout) ? 0 : refuse_output(err);
}

int output_line(const json_t *line, struct error *err)
{
	return print_json(line, JSON_COMPACT, err);
}

int output_end_line(struct error *err)
{
	return putchar('\n') != EOF && !fflush(stdout) ? 0 : refuse_output(err);
}

/* Called for each cell, that of the heading with row == NULL. */
static void cell_of(const json_t *row, const struct column *column, char cell[CELL])
{
	if (row)
		format_cell(json_object_get(row, column->key), column, cell);
	else
		snprintf(cell, CELL, "%s", column->title);
}

static int column_width(const json_t *rows, const struct column *column)
{
	size_t i, width = strlen(column->title);
	const json_t *row;
	char cell[CELL];

	json_array_foreach(rows, i, row) {
		cell_of(row, column, cell);
		if (strlen(cell) > width)
			width = strlen(cell);
	}
	return width;
}

static void print_row(FILE *file, const json_t *row, const struct column *columns,
		      const int *widths)
{
	char cell[CELL];
	int i;

	for (i = 0; columns[i].key; i++) {
		bool last = !columns[i + 1].key;

		cell_of(row, &columns[i], cell);
		if (columns[i].kind == COLUMN_TEXT)
			fprintf(file, "%-*s", last ? 0 : widths[i], cell);
		else
			fprintf(file, "%*s", widths[i], cell);
		fputs(last ? "" : "  ", file);
	}
}

void output_table(FILE *file, bool colour, const json_t *rows, const struct column *columns)
{
	int widths[32], nr;
	const json_t *row;
	size_t i;

	for (nr = 0; columns[nr].key; nr++)
		widths[nr] = column_width(rows, &columns[nr]);
	fputs(colour ? BOLD : "", file);
	print_row(file, NULL, columns, widths);
	fputs(colour ? PLAIN "\n" : "\n", file);
	json_array_foreach(rows, i, row) {
		print_row(file, row, columns, widths);
		fputc('\n', file);
	}
}

static int flush(struct error *err)
{
	return fflush(stdout) || ferror(stdout) ? refuse_output(err) : 0;
}

int output_rows(const struct context *ctx, json_t *rows, const struct column *columns,
		struct error *err)
{
	progress_clear();
	if (ctx->json)
		return print_json(rows, JSON_INDENT(2), err);
	if (json_array_size(rows))
		output_table(stdout, ctx->colour, rows, columns);
	return flush(err);
}

/* A list takes a line an item, below its title; of an object it shows the "text". */
static void print_list(const json_t *list, const struct column *column, int width)
{
	const char *title = column->title;
	const json_t *item;
	char cell[CELL];
	size_t i;

	json_array_foreach(list, i, item) {
		format_cell(json_is_object(item) ? json_object_get(item, "text") : item, column,
			    cell);
		printf("%s%*s  %s\n", title, *title ? (int)(width - strlen(title)) : width, "",
		       cell);
		title = "";
	}
}

int output_object(const struct context *ctx, json_t *object, const struct column *columns,
		  struct error *err)
{
	const struct column *column;
	const json_t *value;
	char cell[CELL], title[64];
	size_t width = 0;

	progress_clear();
	if (ctx->json)
		return print_json(object, JSON_INDENT(2), err);
	for (column = columns; column->key; column++)
		if (json_object_get(object, column->key) && strlen(column->title) >= width)
			width = strlen(column->title) + 1;
	for (column = columns; column->key; column++) {
		snprintf(title, sizeof(title), "%s:", column->title);
		value = json_object_get(object, column->key);
		if (json_is_array(value)) {
			print_list(value, &(struct column) { .title = title, .kind = column->kind },
				   width);
		} else if (value) {
			format_cell(value, column, cell);
			printf("%-*s  %s\n", (int)width, title, cell);
		}
	}
	return flush(err);
}
