// SPDX-License-Identifier: Apache-2.0
/*
 * Settings: see settings.h. Values are assigned in falling order of rank (command line, file,
 * presets); what has a value from above is checked, and left as it is. getopt_long(3) reads the
 * command line. A quoted value is all that stands between the first and the last double quote of
 * its line: there are no escapes, so every text without control characters can be written and read
 * again.
 */
#include "platform/settings.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"

enum {
	SETTINGS_MAX = 104,         /* rows of a table */
	CONFIG_MAX_BYTES = 1 << 20, /* of a configuration file */
	LONG_ONLY = 256, /* getopt's value of row i is LONG_ONLY + i: apart from all letters */
	WHERE_TEXT = 200,
	NAME_TEXT = 32, /* bytes of a name that can be meant by a slip of the keyboard */
	HELP_WIDTH = 100,
	HELP_COLUMN = 30,
};

enum source { FROM_PRESET, FROM_FILE, FROM_COMMAND_LINE };

struct reader {
	const struct setting *table;
	size_t n;
	void *values;
	enum source from[SETTINGS_MAX];
	unsigned int line[SETTINGS_MAX]; /* of the file that set it; 0 = none */
	struct err *err;
};

/* Where the values of the last settings_read() came from, for settings_blame(). */
static struct {
	const struct setting *table;
	size_t n;
	char file[WHERE_TEXT];
	unsigned int line[SETTINGS_MAX]; /* 0: not of the file */
} origins;

static void *member(const struct setting *setting, void *values)
{
	return (char *)values + setting->offset;
}

static const void *const_member(const struct setting *setting, const void *values)
{
	return (const char *)values + setting->offset;
}

static bool has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

static bool parse_number(const char *text, uint64_t *ret)
{
	uint64_t v = 0;

	if (*text == '\0')
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v))
			return false;
	}
	*ret = v;
	return true;
}

static int check_number(const struct reader *r, const struct setting *s, const char *where,
			const char *value, uint64_t *ret)
{
	uint64_t v;

	if (!parse_number(value, &v) || v < s->min || v > s->max)
		return err_set(r->err, ERR_USAGE, "%s %s: allowed are %" PRIu64 " to %" PRIu64,
			       where, value, s->min, s->max);
	*ret = v;
	return 0;
}

static int set_text(const struct reader *r, char **at, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return err_set(r->err, -ENOMEM, "out of memory");
	free(*at);
	*at = copy;
	return 0;
}

static int add_to_list(const struct reader *r, struct setting_list *list, const char *where,
		       const char *value)
{
	int rc;

	if (list->n == SETTING_LIST_MAX)
		return err_set(r->err, ERR_USAGE, "%s: given more than %d times", where,
			       (int)SETTING_LIST_MAX);
	list->v[list->n] = NULL;
	rc = set_text(r, &list->v[list->n], value);
	if (rc == 0)
		list->n++;
	return rc;
}

/* Checks the value of row `i`, and stores it unless the row has one of higher rank. `where` begins
 * the errors. */
static int assign(struct reader *r, size_t i, enum source from, const char *where,
		  const char *value)
{
	const struct setting *s = &r->table[i];
	void *at = member(s, r->values);
	bool keep = r->from[i] > from, yes = strcmp(value, "yes") == 0;
	uint64_t number = 0;
	int rc = 0;

	if (has_control(value, strlen(value)))
		return err_set(r->err, ERR_USAGE, "%s: the value contains a control character",
			       where);
	switch (s->kind) {
	case SETTING_FLAG:
	case SETTING_ACTION:
		if (!yes && strcmp(value, "no") != 0)
			return err_set(r->err, ERR_USAGE, "%s %s: allowed are yes and no", where,
				       value);
		if (!keep)
			*(bool *)at = yes;
		break;
	case SETTING_NUMBER:
		rc = check_number(r, s, where, value, &number);
		if (rc == 0 && !keep)
			*(uint64_t *)at = number;
		break;
	case SETTING_TEXT:
	case SETTING_FILE:
		if (!keep)
			rc = set_text(r, at, value);
		break;
	case SETTING_LIST:
		if (!keep)
			rc = add_to_list(r, at, where, value);
		break;
	}
	if (rc == 0 && !keep)
		r->from[i] = from;
	return rc;
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein's distance; SIZE_MAX for words too long to be a slip. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_TEXT], la = strlen(a), lb = strlen(b);

	if (la >= NAME_TEXT || lb >= NAME_TEXT)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t above = row[j];

			row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[lb];
}

/* The name that was probably meant, or NULL. */
static const char *nearest(const struct reader *r, const char *word)
{
	const char *best = NULL;
	size_t best_distance = 3;

	for (size_t i = 0; i < r->n; i++) {
		size_t d = distance(word, r->table[i].name);

		if (d < best_distance && d < strlen(word)) {
			best = r->table[i].name;
			best_distance = d;
		}
	}
	return best;
}

/* ---- the command line ---- */

static int unknown_option(const struct reader *r, const char *word, int letter)
{
	const char *meant = NULL;
	char name[NAME_TEXT];

	if (letter)
		return err_set(r->err, ERR_USAGE, "unknown option '-%c'; --help lists them",
			       letter);
	(void)snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
	meant = nearest(r, name);
	if (meant)
		return err_set(r->err, ERR_USAGE,
			       "unknown option '%s': did you mean --%s? --help lists them", word,
			       meant);
	return err_set(r->err, ERR_USAGE, "unknown or ambiguous option '%s'; --help lists them",
		       word);
}

static bool takes_value(const struct setting *s)
{
	return s->kind != SETTING_FLAG && s->kind != SETTING_ACTION;
}

/* The row of what getopt_long() returned or left in optopt, or n. */
static size_t row_of(const struct reader *r, int c)
{
	size_t i = 0;

	if (c >= LONG_ONLY)
		return (size_t)(c - LONG_ONLY);
	while (i < r->n && (!r->table[i].letter || r->table[i].letter != c))
		i++;
	return i;
}

static __attribute__((noinline)) int read_command_line(struct reader *r, int argc, char **argv,
						       int *ret_rest)
{
	struct option options[SETTINGS_MAX + 1] = {{0}};
	char letters[2 * SETTINGS_MAX + 3] = "+:", *p = letters + 2, where[WHERE_TEXT];
	int c, rc = 0;
	size_t row;

	for (size_t i = 0; i < r->n; i++) {
		const struct setting *s = &r->table[i];

		/* A flag takes --name=no too, to overrule the file. */
		options[i] = (struct option){
			.name = s->name,
			.has_arg = takes_value(s)            ? required_argument
				   : s->kind == SETTING_FLAG ? optional_argument
							     : no_argument,
			.val = LONG_ONLY + (int)i,
		};
		if (s->letter)
			*p++ = s->letter;
		if (s->letter && takes_value(s))
			*p++ = ':';
	}
	opterr = 0;
	optind = 0; /* begin anew, also inside a word: understood by glibc and musl */
	while (rc == 0 && (c = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		row = row_of(r, c == '?' || c == ':' ? optopt : c);
		if (row == r->n)
			return unknown_option(r, argv[optind - 1], optopt);
		(void)snprintf(where, sizeof where, "--%s", r->table[row].name);
		if (c == '?')
			return err_set(r->err, ERR_USAGE, "%s takes no value", where);
		if (c == ':')
			return err_set(r->err, ERR_USAGE, "%s lacks its value: %s %s", where, where,
				       r->table[row].arg ? r->table[row].arg : "VALUE");
		rc = assign(r, row, FROM_COMMAND_LINE, where, optarg ? optarg : "yes");
	}
	*ret_rest = optind;
	return rc;
}

/* ---- the file ---- */

/* A word inside the file's buffer. */
struct span {
	char *p;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span trim(struct span s)
{
	for (; s.len > 0 && is_blank(s.p[0]); s.p++)
		s.len--;
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* Takes the quotes off. Gives what is wrong with the value, or NULL. */
static const char *unquote(struct span *value)
{
	if (value->len == 0)
		return "the value is missing; write \"\" for an empty one";
	if (value->p[0] == '"') {
		if (value->len == 1 || value->p[value->len - 1] != '"')
			return "the closing quote is missing at the end of the line";
		value->p++;
		value->len -= 2;
		return NULL;
	}
	for (size_t i = 1; i < value->len; i++) {
		if (value->p[i] == '#' && is_blank(value->p[i - 1]))
			return "a comment needs a line of its own; quote the value if the # "
			       "belongs to it";
	}
	return NULL;
}

static int unknown_name(const struct reader *r, const char *file, unsigned int line,
			const char *name)
{
	const char *meant = nearest(r, name);

	if (meant)
		return err_set(r->err, ERR_USAGE,
			       "%s:%u: unknown setting '%s': did you mean '%s'? --help lists them",
			       file, line, name, meant);
	return err_set(r->err, ERR_USAGE, "%s:%u: unknown setting '%s'; --help lists them", file,
		       line, name);
}

/* `line` is NUL-terminated at its length; the text is cut up in place. */
static int read_line(struct reader *r, const char *file, unsigned int number, struct span line)
{
	struct span name, value;
	char where[WHERE_TEXT], *equals;
	const char *wrong;
	size_t row = 0;

	if (has_control(line.p, line.len))
		return err_set(r->err, ERR_USAGE, "%s:%u: the line contains a control character",
			       file, number);
	line = trim(line);
	if (line.len == 0 || line.p[0] == '#')
		return 0;
	equals = memchr(line.p, '=', line.len);
	if (!equals)
		return err_set(r->err, ERR_USAGE,
			       "%s:%u: '=' is missing in '%.40s': write name = value", file, number,
			       line.p);
	name = trim((struct span){line.p, (size_t)(equals - line.p)});
	value = trim((struct span){equals + 1, line.len - (size_t)(equals - line.p) - 1});
	name.p[name.len] = '\0';
	while (row < r->n && strcmp(r->table[row].name, name.p) != 0)
		row++;
	if (row == r->n)
		return unknown_name(r, file, number, name.p);
	if (r->table[row].kind == SETTING_FILE || r->table[row].kind == SETTING_ACTION)
		return err_set(r->err, ERR_USAGE,
			       "%s:%u: '%s' belongs on the command line, not in a file", file,
			       number, name.p);
	wrong = unquote(&value);
	if (wrong)
		return err_set(r->err, ERR_USAGE, "%s:%u: %s: %s", file, number, name.p, wrong);
	if (r->line[row] && r->table[row].kind != SETTING_LIST)
		return err_set(r->err, ERR_USAGE,
			       "%s:%u: '%s' stands in line %u already; remove one of the two", file,
			       number, name.p, r->line[row]);
	r->line[row] = number;
	value.p[value.len] = '\0';
	(void)snprintf(where, sizeof where, "%s:%u: %s", file, number, name.p);
	return assign(r, row, FROM_FILE, where, value.p);
}

static int read_file(struct reader *r, const char *file)
{
	unsigned int number = 0;
	char *text = NULL, *p;
	size_t len;
	int rc;

	if (file_read_all(file, CONFIG_MAX_BYTES, &text, &len, r->err) < 0)
		return ERR_USAGE; /* a name that is wrong on the command line */
	p = text;
	rc = 0;
	while (rc == 0 && len > 0) {
		char *newline = memchr(p, '\n', len);
		size_t line_len = newline ? (size_t)(newline - p) : len;
		size_t used = line_len + (newline ? 1 : 0);
		struct span line = {p, line_len};

		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		line.p[line.len] = '\0';
		rc = read_line(r, file, ++number, line);
		p += used;
		len -= used;
	}
	free(text);
	return rc;
}

static void remember(const struct reader *r, const char *file)
{
	origins.table = r->table;
	origins.n = r->n;
	(void)snprintf(origins.file, sizeof origins.file, "%s", file);
	for (size_t i = 0; i < r->n; i++)
		origins.line[i] = r->from[i] == FROM_FILE ? r->line[i] : 0;
}

void settings_blame(struct err *err)
{
	size_t len = strncmp(err->text, "--", 2) == 0 ? strcspn(err->text + 2, " :") : 0;
	const struct err was = *err;

	for (size_t i = 0; len > 0 && i < origins.n; i++) {
		const char *name = origins.table[i].name;

		if (origins.line[i] && strlen(name) == len && !strncmp(name, was.text + 2, len))
			(void)err_set(err, ERR_USAGE, "%s:%u: %s", origins.file, origins.line[i],
				      was.text + 2);
	}
}

int settings_read(const struct setting *table, size_t n, void *values, int argc, char **argv,
		  int *ret_rest, struct err *err)
{
	struct reader r = {.table = table, .n = n, .values = values, .err = err};
	int rc;

	assert(n <= SETTINGS_MAX);
	rc = read_command_line(&r, argc, argv, ret_rest);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		char **file = member(&table[i], values);

		if (table[i].kind == SETTING_FILE && *file)
			rc = read_file(&r, *file);
		if (table[i].kind == SETTING_FILE)
			remember(&r, *file ? *file : "");
	}
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (table[i].preset && r.from[i] == FROM_PRESET)
			rc = assign(&r, i, FROM_PRESET, table[i].name, table[i].preset);
	}
	return rc;
}

/* ---- output ---- */

static void print_text(FILE *out, const char *name, const char *value)
{
	size_t len = strlen(value);
	bool quote = len == 0 || value[0] == '"' || is_blank(value[0]) ||
		     is_blank(value[len - 1]) || strstr(value, " #") || strstr(value, "\t#");

	(void)fprintf(out, quote ? "%s = \"%s\"\n" : "%s = %s\n", name, value);
}

void settings_print(const struct setting *table, size_t n, const void *values, FILE *out)
{
	for (const struct setting *s = table; s < table + n; s++) {
		const void *at = const_member(s, values);
		const struct setting_list *list = at;
		const uint64_t *number = at;
		const char *const *text = at;
		const bool *flag = at;

		switch (s->kind) {
		case SETTING_FLAG: print_text(out, s->name, *flag ? "yes" : "no"); break;
		case SETTING_TEXT:
			if (*text)
				print_text(out, s->name, *text);
			break;
		case SETTING_NUMBER: /* 0 without being allowed means: not given, and no preset */
			if (*number >= s->min && *number <= s->max)
				(void)fprintf(out, "%s = %" PRIu64 "\n", s->name, *number);
			break;
		case SETTING_LIST:
			for (size_t i = 0; i < list->n; i++)
				print_text(out, s->name, list->v[i]);
			break;
		case SETTING_FILE:
		case SETTING_ACTION: break;
		}
	}
}

/* Prints the words of `text` from column `at` on, in the right column. Gives the column after them.
 */
static size_t wrap(FILE *out, size_t at, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		if (at > HELP_COLUMN && at + 1 + len > HELP_WIDTH) {
			(void)fputc('\n', out);
			at = 0;
		}
		if (at < HELP_COLUMN)
			at += (size_t)fprintf(out, "%*s", (int)(HELP_COLUMN - at), "");
		else
			at += (size_t)fprintf(out, " ");
		at += (size_t)fprintf(out, "%.*s", (int)len, text);
		text += len;
		text += strspn(text, " ");
	}
	return at;
}

void settings_help(const struct setting *table, size_t n, FILE *out)
{
	char extra[96];

	for (const struct setting *s = table; s < table + n; s++) {
		const char letter[] = {'-', s->letter, ',', '\0'};
		size_t at = (size_t)fprintf(out, "  %3s --%s%s%s", s->letter ? letter : "", s->name,
					    takes_value(s) ? " " : "",
					    !takes_value(s) ? ""
					    : s->arg        ? s->arg
							    : "VALUE");

		if (at + 1 > HELP_COLUMN) {
			(void)fputc('\n', out);
			at = 0;
		}
		at = wrap(out, at, s->help);
		if (s->kind == SETTING_LIST)
			at = wrap(out, at, "May be repeated.");
		extra[0] = '\0';
		if (s->kind == SETTING_NUMBER && s->max == UINT64_MAX)
			(void)snprintf(extra, sizeof extra, "From %" PRIu64 ".", s->min);
		else if (s->kind == SETTING_NUMBER)
			(void)snprintf(extra, sizeof extra, "%" PRIu64 " to %" PRIu64 ".", s->min,
				       s->max);
		at = wrap(out, at, extra);
		if (s->preset && takes_value(s)) {
			(void)wrap(out, wrap(out, at, "Default:"), s->preset);
		}
		(void)fputc('\n', out);
	}
}

void settings_free(const struct setting *table, size_t n, void *values)
{
	for (size_t i = 0; i < n; i++) {
		void *at = member(&table[i], values);

		if (table[i].kind == SETTING_TEXT || table[i].kind == SETTING_FILE) {
			char **text = at;

			free(*text);
			*text = NULL;
		} else if (table[i].kind == SETTING_LIST) {
			struct setting_list *list = at;

			while (list->n > 0)
				free(list->v[--list->n]);
		}
	}
}
