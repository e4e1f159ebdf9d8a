// SPDX-License-Identifier: Apache-2.0
/*
 * Errors: see err.h. The sentence is made in a buffer of its own first, so that a caller may put
 * the text that is there already into the new one: err_set(err, rc, "%s: %s", file, err->text).
 */
#include "platform/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static void set(struct err *err, const char *after,
						      const char *fmt, va_list args)
{
	struct err made = {.text = ""};
	size_t len;
	int n;

	if (!err)
		return;
	n = vsnprintf(made.text, sizeof made.text, fmt, args);
	len = n < 0 ? 0 : (size_t)n;
	if (after && len < sizeof made.text)
		(void)snprintf(made.text + len, sizeof made.text - len, ": %s", after);
	*err = made;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	set(err, NULL, fmt, args);
	va_end(args);
	return code;
}

int err_errno(struct err *err, const char *fmt, ...)
{
	int code = errno ? errno : EIO; /* a failure must never read as 0, success */
	va_list args;

	va_start(args, fmt);
	set(err, strerror(code), fmt, args);
	va_end(args);
	return -code;
}

int err_exit_status(int code)
{
	if (code == 0)
		return 0;
	return code == ERR_USAGE ? 2 : 3;
}
