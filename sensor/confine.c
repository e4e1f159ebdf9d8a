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
#include "platform/responder.h"

#define ALWAYS(name)                                                                               \
	{                                                                                          \
		SYS_##name, SANDBOX_ALWAYS, 0, 0                                                   \
	}
#define EQUAL(name, arg, value)                                                                    \
	{                                                                                          \
		SYS_##name, SANDBOX_EQUAL, arg, value                                              \
	}

/* What a sensor has none of is left out. */
enum part { SPOOL_FILE, METRICS, UPLINK, LIVE };

static const struct {
	enum part part;
	struct sandbox_call call;
} calls[] = {
	{SPOOL_FILE, ALWAYS(pwrite64)},
	{SPOOL_FILE, ALWAYS(fdatasync)},
	{METRICS, ALWAYS(accept4)},
	{METRICS, ALWAYS(shutdown)},
	{UPLINK, EQUAL(socket, 0, AF_INET)},
	{UPLINK, EQUAL(socket, 0, AF_INET6)},
	{UPLINK, ALWAYS(connect)},
	{UPLINK, ALWAYS(sendmsg)},
	{UPLINK, ALWAYS(recvmsg)},
	{UPLINK, ALWAYS(getpeername)},
	{UPLINK, ALWAYS(shutdown)},
	/* of the uplink too; the ring's counters and its end, and the addresses over rtnetlink */
	{LIVE, ALWAYS(getsockopt)},
	{LIVE, ALWAYS(setsockopt)},
	{LIVE, ALWAYS(getsockname)},
	{LIVE, ALWAYS(sendto)},
	{LIVE, ALWAYS(recvfrom)},
#ifdef SYS_recv
	{LIVE, ALWAYS(send)},
	{LIVE, ALWAYS(recv)},
#endif
	/* an interface that went down: is it there at all? */
	{LIVE, EQUAL(ioctl, 1, SIOCGIFFLAGS)},
	/* the driver's own counters; what would change anything needs a capability */
	{LIVE, EQUAL(ioctl, 1, SIOCETHTOOL)},
};
enum { N_CALLS = sizeof calls / sizeof calls[0] };

_Static_assert((int)OPTIONS_COLLECTORS_MAX < (int)SANDBOX_PORTS_MAX,
	       "every collector's port fits, and that of instance metadata");

enum { METADATA_PORT = 80 };
/* A connection, and the one before it that is being closed; those that ask for metrics, and one more that takes another's place. */
enum {
	SPARE_FILES = 8,
	METRICS_FILES = RESPONDER_SLOTS + 1,
	TAIL_FILES = 4, /* of a log file: two versions of it, and two that come in their place */
};

/* The calls of the parts that are wanted; valid until it is asked again. */
static void choose(struct sandbox *ret, bool file, bool metrics, bool uplink)
{
	static struct sandbox_call chosen[N_CALLS];
	const bool wanted[] = {
		[SPOOL_FILE] = file, [METRICS] = metrics, [UPLINK] = uplink, [LIVE] = true};

	ret->calls = chosen;
	ret->n_calls = 0;
	for (size_t i = 0; i < N_CALLS; i++)
		if (wanted[calls[i].part])
			chosen[ret->n_calls++] = calls[i].call;
}

void confine_describe(struct sandbox *ret, const struct options *o)
{
	*ret = (struct sandbox){
		.user = (uint32_t)o->user_id,
		.lock_memory = o->lock_memory,
		.eperm = o->sandbox_eperm,
		.spare_files = SPARE_FILES + TAIL_FILES * (unsigned)o->tails.n,
	};
	if (o->metrics)
		ret->spare_files += METRICS_FILES;
	if (o->collectors.n || !o->read)
		choose(ret, o->spool != NULL, o->metrics != NULL,
		       o->collectors.n > 0 || o->asks_metadata);
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

	confine_describe(&want, o);
	/* As for a run that watches and streams: no collector needs to be named for that. */
	choose(&want, o->spool != NULL, o->metrics != NULL,
	       IS_ENABLED(CONFIG_STREAM) || o->asks_metadata);
	return sandbox_self_test(&want, out);
}
