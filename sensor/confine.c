// SPDX-License-Identifier: Apache-2.0
/*
 * confine: the sensor's list of system calls, beside those of every program. Found by running it
 * under strace(1), with glibc and with musl, and in libpcap's and libevent's sources for what rarely
 * happens (an interface that goes down).
 */
#include "sensor/confine.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "platform/config.h"
#include "platform/log.h"

#define ALWAYS(name)                                                                               \
	{                                                                                          \
		SYS_##name, SANDBOX_ALWAYS, 0, 0                                                   \
	}
#define EQUAL(name, arg, value)                                                                    \
	{                                                                                          \
		SYS_##name, SANDBOX_EQUAL, arg, value                                              \
	}

/* A spool's file comes first, then the uplink, so that a sensor can leave out what it has none of. */
static const struct sandbox_call calls[] = {
	ALWAYS(pwrite64),
	ALWAYS(fdatasync),
	/* the uplink */
	EQUAL(socket, 0, AF_INET),
	EQUAL(socket, 0, AF_INET6),
	ALWAYS(connect),
	ALWAYS(sendmsg),
	ALWAYS(recvmsg),
	ALWAYS(getpeername),
	ALWAYS(shutdown),
	/* also live: the ring's counters and its end, and the addresses over rtnetlink */
	ALWAYS(getsockopt),
	ALWAYS(setsockopt),
	ALWAYS(getsockname),
	ALWAYS(sendto),
	ALWAYS(recvfrom),
#ifdef SYS_recv
	ALWAYS(send),
	ALWAYS(recv),
#endif
	/* an interface that went down: is it there at all? */
	EQUAL(ioctl, 1, SIOCGIFFLAGS),
	/* the driver's own counters; what would change anything needs a capability */
	EQUAL(ioctl, 1, SIOCETHTOOL),
};
enum { N_CALLS = sizeof calls / sizeof calls[0], N_FILE = 2, N_UPLINK = 7 };

_Static_assert((int)OPTIONS_COLLECTORS_MAX < (int)SANDBOX_PORTS_MAX,
	       "every collector's port fits, and that of instance metadata");

enum { METADATA_PORT = 80 };
enum { SPARE_FILES = 8 }; /* a connection, and the one before it that is being closed */

void confine_describe(struct sandbox *ret, const struct options *o)
{
	*ret = (struct sandbox){
		.user = (uint32_t)o->user_id,
		.lock_memory = o->lock_memory,
		.eperm = o->sandbox_eperm,
		.spare_files = SPARE_FILES,
	};
	if (o->collectors.n || !o->read) {
		bool connects = o->collectors.n || o->asks_metadata;
		size_t without = o->spool ? 0 : connects ? N_FILE : N_FILE + N_UPLINK;

		ret->calls = calls + without;
		ret->n_calls = N_CALLS - without;
	}
	for (size_t i = 0; i < o->collectors.n && i < OPTIONS_COLLECTORS_MAX; i++)
		ret->ports[ret->n_ports++] = o->collector[i].port;
	if (o->asks_metadata)
		ret->ports[ret->n_ports++] = METADATA_PORT;
}

int confine_enter(const struct options *o, char ret_text[static SANDBOX_TEXT], struct err *err)
{
	struct sandbox_state state;
	struct sandbox want;
	int rc;

	if (o->no_sandbox) {
		(void)snprintf(ret_text, SANDBOX_TEXT, "none (--no-sandbox)");
		log_warn("sandbox", "off (--no-sandbox): continuing with all the rights that the "
				    "sensor was started with");
		return 0;
	}
	confine_describe(&want, o);
	rc = sandbox_enter(&want, &state, err);
	if (rc < 0)
		return rc;
	(void)sandbox_text(ret_text, &state);
	if (!state.seccomp)
		log_warn("sandbox", "%s; continuing", ret_text);
	else if (o->read)
		log_debug("sandbox", "%s", ret_text);
	else
		log_info("sandbox", "%s", ret_text);
	if (o->sandbox_eperm)
		log_warn("sandbox", "forbidden system calls fail instead of ending the sensor "
				    "(--sandbox-eperm)");
	return 0;
}

unsigned confine_self_test(const struct options *o, FILE *out)
{
	struct sandbox want;
	size_t without;

	confine_describe(&want, o);
	/* As for a run that watches and streams: no collector needs to be named for that. */
	without = (o->spool ? 0 : N_FILE) + (IS_ENABLED(CONFIG_STREAM) ? 0 : N_UPLINK);
	want.calls = calls + without;
	want.n_calls = N_CALLS - without;
	return sandbox_self_test(&want, out);
}
