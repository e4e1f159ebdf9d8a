// SPDX-License-Identifier: Apache-2.0
/*
 * Who waits to be told: sd_notify(3). (Interfaces: tests/netns/run_early.py.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/early.h"

static int listening(const char *address)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0 && strlen(address) < sizeof at.sun_path);
	memcpy(at.sun_path, address, strlen(address));
	if (address[0] == '@')
		at.sun_path[0] = '\0';
	assert_int_equal(
		bind(fd, (struct sockaddr *)&at,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address))),
		0);
	return fd;
}

static void told(const char *address)
{
	int fd = listening(address);
	char got[32] = "";

	assert_true(early_ready(address));
	assert_int_equal(recv(fd, got, sizeof got, 0), 7);
	assert_string_equal(got, "READY=1");
	assert_int_equal(recv(fd, got, sizeof got, 0), -1); /* once */
	close(fd);
}

static void by_path(void **state)
{
	char folder[] = "/tmp/flowproof-early-XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof path, "%s/notify", folder);
	told(path);
	assert_int_equal(unlink(path), 0);
	assert_false(early_ready(path)); /* nobody there any more */
	assert_int_equal(rmdir(folder), 0);
}

static void by_abstract_name(void **state)
{
	char name[64];

	(void)state;
	(void)snprintf(name, sizeof name, "@flowproof/early/%ld", (long)getpid());
	told(name);
}

static void what_is_no_address(void **state)
{
	char longer[sizeof((struct sockaddr_un *)0)->sun_path + 2];

	(void)state;
	memset(longer, 'x', sizeof longer - 1);
	longer[0] = '/';
	longer[sizeof longer - 1] = '\0';
	assert_false(early_ready(NULL));
	assert_false(early_ready(""));
	assert_false(early_ready("/"));
	assert_false(early_ready(
		"vsock:2:1234")); /* sd_notify(3) of later systemds: of virtual machines */
	assert_false(early_ready(longer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_path),
		cmocka_unit_test(by_abstract_name),
		cmocka_unit_test(what_is_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
