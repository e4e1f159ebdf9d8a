// SPDX-License-Identifier: Apache-2.0
/*
 * options: the table of settings, and what must hold between them.
 */
#include "sensor/options.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "platform/config.h"
#include "platform/text.h"

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)
#define AT(member) offsetof(struct options, member)

#define CA_BUILT_IN (sizeof CONFIG_TLS_CA_FILE > 1) /* Kconfig's text is not "" */

/* What Kconfig leaves out is no setting: whoever gives it is told so at once. */
static const struct setting table[] = {
	{"read", 'r', SETTING_TEXT, AT(read), "FILE|-", NULL, 0, 0,
	 "Read a capture file (pcap, pcapng; - is standard input)."},
#ifdef CONFIG_LIVE
	{"interface", 'i', SETTING_LIST, AT(interfaces), "IF", NULL, 0, 0,
	 "Capture live on this interface; may be repeated."},
#endif
	{"output", 'o', SETTING_TEXT, AT(output), "FILE|-", NULL, 0, 0,
	 "Write Flow Logs text here. Default without a collector: standard output."},
#ifdef CONFIG_STREAM
	{"collector", 's', SETTING_LIST, AT(collectors), "HOST:PORT", NULL, 0, 0,
	 "Stream to this collector (a numeric address: names are not resolved on a suspect "
	 "machine); may be repeated, in order of "
	 "preference."},
#endif
	{"fields", 'F', SETTING_TEXT, AT(fields), "FIELDS", NULL, 0, 0,
	 "Fields of a line, in order; default: the 14 of version 2."},
	{"window", 't', SETTING_NUMBER, AT(window), "60|600", "60", 60, 600,
	 "Length of a window in seconds."},
	{"policy", 'p', SETTING_TEXT, AT(policy), "FILE", NULL, 0, 0,
	 "What is expected; default: the built-in quarantine policy, which expects next to "
	 "nothing."},
#ifdef CONFIG_FILTER
	{"filter", 'f', SETTING_TEXT, AT(filter), "BPF", NULL, 0, 0,
	 "Look only at what this filter lets through; the rest is unknown."},
#endif
#ifdef CONFIG_FRAGMENTS
	{"fragments", 0, SETTING_TEXT, AT(fragments), "zero|ports", "zero", 0, 0,
	 "Ports of a datagram's later fragments, which have none: 0, or those of its first "
	 "fragment."},
#endif
#ifdef CONFIG_MIRROR
	{"mirror", 0, SETTING_FLAG, AT(mirror), NULL, NULL, 0, 0,
	 "Look into mirrored frames (VXLAN, as AWS Traffic Mirroring sends them)."},
	{"mirror-vni", 0, SETTING_LIST, AT(mirror_vnis), "VNI NAME=VALUE...", NULL, 0, 0,
	 "Whose frames this VNI carries, as interface-id=eni-0a account-id=...; may be repeated."},
#endif
	{"offload", 0, SETTING_TEXT, AT(offload), "kernel|estimate|as-is", NULL, 0, 0,
	 "How frames that stand for several packets of the wire (TSO, GRO) are counted. "
	 "Default: live as the "
	 "kernel says, else by an estimate; of a file as they are."},
	{"local", 0, SETTING_LIST, AT(local), "CIDR", NULL, 0, 0,
	 "Addresses of this machine; may be repeated. Default: the interfaces' own; of a file: RFC "
	 "1918 and ULA."},
	{"resolver", 0, SETTING_LIST, AT(resolvers), "ADDRESS", NULL, 0, 0,
	 "DNS resolver that the policy's word `resolver` means; may be repeated."},
	{"id", 0, SETTING_TEXT, AT(id), "ID", NULL, 0, 0,
	 "Name of this sensor; its certificate must bear it."},
#ifdef CONFIG_STREAM
	{"ca", 0, SETTING_TEXT, AT(ca), "FILE", NULL, 0, 0,
	 CA_BUILT_IN ? "Certificate of the CA. Default: the one that was built in."
		     : "Certificate of the CA."},
	{"cert", 0, SETTING_TEXT, AT(cert), "FILE", NULL, 0, 0, "This sensor's certificate."},
	{"key", 0, SETTING_TEXT, AT(key), "FILE", NULL, 0, 0, "Its key."},
#endif
	{"field", 0, SETTING_LIST, AT(field), "[IF:]NAME=VALUE", NULL, 0, 0,
	 "Value of a field marked * below, for one interface or for all."},
	{"account-id", 0, SETTING_TEXT, AT(account_id), "ID", NULL, 0, 0,
	 "Short for --field account-id=ID."},
	{"interface-id", 0, SETTING_LIST, AT(interface_ids), "[IF=]ID", NULL, 0, 0,
	 "Short for --field [IF:]interface-id=ID."},
	{"vpc-id", 0, SETTING_TEXT, AT(vpc_id), "ID", NULL, 0, 0, "Short for --field vpc-id=ID."},
	{"subnet-id", 0, SETTING_TEXT, AT(subnet_id), "ID", NULL, 0, 0,
	 "Short for --field subnet-id=ID."},
	{"instance-id", 0, SETTING_TEXT, AT(instance_id), "ID", NULL, 0, 0,
	 "Short for --field instance-id=ID."},
	{"region", 0, SETTING_TEXT, AT(region), "NAME", NULL, 0, 0,
	 "Short for --field region=NAME."},
	{"az-id", 0, SETTING_TEXT, AT(az_id), "ID", NULL, 0, 0, "Short for --field az-id=ID."},
#ifdef CONFIG_BLIND
	{"blind-s", 0, SETTING_NUMBER, AT(blind_s), "N", "60", 0, 3600,
	 "Seconds between looks for what may blind the capture: packet sockets, XDP, tc, counters. "
	 "0: "
	 "never."},
	{"reader", 0, SETTING_LIST, AT(readers), "NAME", NULL, 0, 0,
	 "Name of a process whose packet sockets are expected; may be repeated. Default: the usual "
	 "DHCP "
	 "clients."},
#endif
#ifdef CONFIG_IMDS
	{"identity", 0, SETTING_TEXT, AT(identity), "auto|imds|config", "auto", 0, 0,
	 "Where the interfaces' fields come from that the configuration does not give: EC2's "
	 "instance metadata, or nowhere. auto: from there if the firmware says that this is an EC2 "
	 "instance."},
#endif
	{"endpoints", 0, SETTING_TEXT, AT(endpoints), "FILE|-", NULL, 0, 0,
	 "At the end, write the remote endpoints here, each with how far its flows got."},
#ifdef CONFIG_NAMES
	{"dns-log", 0, SETTING_TEXT, AT(dns_log), "FILE|-", NULL, 0, 0,
	 "Write each DNS query and its answers here, as a Route 53 Resolver query log has them."},
#endif
	{"endpoint-slots", 0, SETTING_NUMBER, AT(endpoint_slots), "N", TEXT(CONFIG_ENDPOINT_SLOTS),
	 16, 1048576, "Remote endpoints remembered, 100 bytes each."},
	{"flow-slots", 0, SETTING_NUMBER, AT(flow_slots), "N", TEXT(CONFIG_FLOW_SLOTS), 16, 4194304,
	 "Slots of the flow table, 96 bytes each."},
#ifdef CONFIG_CANARY
	{"canary", 0, SETTING_TEXT, AT(canary), "ADDR:PORT", NULL, 0, 0,
	 "Send canaries to this port of the collector (its --canary), at random times: the capture "
	 "must "
	 "see them."},
	{"canary-s", 0, SETTING_NUMBER, AT(canary_s), "N", "20", 1, 3600,
	 "Seconds from one canary to the next, on average."},
#endif
#ifdef CONFIG_TAIL
	{"tail", 0, SETTING_LIST, AT(tails), "PATH", NULL, 0, 0,
	 "Follow this log file of the machine; may be repeated."},
	{"tail-from", 0, SETTING_TEXT, AT(tail_from), "start|end", "end", 0, 0,
	 "Begin with what is in the files, or with what is written to them from now on."},
	{"tail-kib-s", 0, SETTING_NUMBER, AT(tail_kib_s), "N", "64", 1, 4096,
	 "Read so many KiB a second of each at most; what is left out is counted."},
#endif
#ifdef CONFIG_STREAM
	{"spool-kib", 0, SETTING_NUMBER, AT(spool_kib), "N", TEXT(CONFIG_SPOOL_KIB), 64, 1048576,
	 "Memory for batches that the collector has not acknowledged."},
#	ifdef CONFIG_SPOOL_FILE
	{"spool", 0, SETTING_TEXT, AT(spool), "\"FILE, SIZE\"", NULL, 0, 0,
	 "Keep them in this file instead, of so many KiB (or 64M, 1G), so that they outlive the "
	 "sensor. Not on a disk that is evidence."},
#	endif
#endif
#ifdef CONFIG_LIVE
	{"ring-kib", 0, SETTING_NUMBER, AT(ring_kib), "N", TEXT(CONFIG_CAPTURE_RING_KIB), 256,
	 1048576, "Kernel memory for captured packets, per interface."},
#endif
#ifdef CONFIG_METRICS
	{"metrics", 0, SETTING_TEXT, AT(metrics), "ADDR:PORT", NULL, 0, 0,
	 "Give metrics to Prometheus here, at /metrics, and /healthz; a loopback address."},
	{"metrics-remote", 0, SETTING_FLAG, AT(metrics_remote), NULL, NULL, 0, 0,
	 "Let --metrics be another address: whoever reaches it reads them."},
#endif
	{"user-id", 0, SETTING_NUMBER, AT(user_id), "N", "65534", 1, 4294967294,
	 "User to become after the start, by number. Started without root: no effect."},
	{"lock-memory", 0, SETTING_FLAG, AT(lock_memory), NULL, NULL, 0, 0,
	 "Keep all memory out of the swap space."},
	{"no-sandbox", 0, SETTING_FLAG, AT(no_sandbox), NULL, NULL, 0, 0,
	 "Keep all rights after the start. For debugging."},
	{"sandbox-eperm", 0, SETTING_FLAG, AT(sandbox_eperm), NULL, NULL, 0, 0,
	 "Let forbidden system calls fail instead of ending the sensor. For debugging."},
	{"config", 'c', SETTING_FILE, AT(config), "FILE", NULL, 0, 0,
	 "Read settings from this file; the command line wins."},
	{"debug", 0, SETTING_FLAG, AT(debug), NULL, NULL, 0, 0, "Log more."},
	{"check", 0, SETTING_ACTION, AT(check), NULL, NULL, 0, 0,
	 "Check the settings, print the effective ones, and end."},
#ifdef CONFIG_LIVE
	{"bring-up", 0, SETTING_ACTION, AT(bring_up), NULL, NULL, 0, 0,
	 "Set the interfaces up that are down, and end: before a start that comes before the "
	 "network's."},
#endif
	{"self-test", 0, SETTING_ACTION, AT(self_test), NULL, NULL, 0, 0,
	 "Enter the sandbox, print what is in force by trying, and end."},
	{"help", 'h', SETTING_ACTION, AT(help), NULL, NULL, 0, 0, "Print this and end."},
	{"version", 'V', SETTING_ACTION, AT(version), NULL, NULL, 0, 0,
	 "Print the version and end."},
};
enum {
	N_SETTINGS = sizeof table / sizeof table[0],
	OPTIONS_SPOOL_MIN_KIB = 2048,
	OPTIONS_SPOOL_MAX_KIB = 4 * 1024 * 1024
};

/* What a savefile's local addresses are taken to be (RFC 1918, RFC 4193). */
static const char *const file_local[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
					 "fc00::/7"};

static int understand_lists(struct options *o, struct err *err)
{
	int rc = 0;

	if (o->collectors.n > OPTIONS_COLLECTORS_MAX)
		return err_set(err, ERR_USAGE, "--collector: at most %d can be given",
			       OPTIONS_COLLECTORS_MAX);
	if (o->resolvers.n > OPTIONS_RESOLVERS_MAX)
		return err_set(err, ERR_USAGE, "--resolver: at most %d can be given",
			       OPTIONS_RESOLVERS_MAX);
	for (size_t i = 0; !rc && i < o->collectors.n; i++)
		rc = endpoint_parse(o->collectors.v[i], &o->collector[i], err);
	for (size_t i = 0; !rc && i < o->resolvers.n; i++)
		rc = cidr_parse(o->resolvers.v[i], &o->resolver[i], err);
	for (size_t i = 0; !rc && i < o->local.n; i++)
		rc = cidr_parse(o->local.v[i], &o->local_cidr[o->n_local++], err);
	if (!rc && o->read && o->local.n == 0)
		for (size_t i = 0; !rc && i < sizeof file_local / sizeof file_local[0]; i++)
			rc = cidr_parse(file_local[i], &o->local_cidr[o->n_local++], err);
	return rc;
}

static int understand_mirror(struct options *o, struct err *err)
{
	size_t captures = o->read ? 1 : o->interfaces.n;
	int rc = 0;

	for (size_t i = 0; !rc && i < o->mirror_vnis.n; i++)
		rc = mirror_add(&o->mirrored, o->mirror_vnis.v[i], err);
	if (rc)
		return rc;
	if (!o->mirror)
		return o->mirrored.n ? err_set(err, ERR_USAGE, "--mirror-vni needs --mirror") : 0;
	if (!o->read && o->local.n == 0)
		return err_set(
			err, ERR_USAGE,
			"--mirror needs --local: the addresses of the machines that are mirrored");
	if (captures + o->mirrored.n + 1 > WIRE_INTERFACES_MAX)
		return err_set(
			err, ERR_USAGE,
			"--mirror: %d interfaces, VNIs and one for unlisted VNIs are the most",
			WIRE_INTERFACES_MAX);
	return 0;
}

/* Interfaces' names become fields of records. */
static int check_interfaces(const struct options *o, struct err *err)
{
	if (o->interfaces.n > WIRE_INTERFACES_MAX)
		return err_set(err, ERR_USAGE, "--interface: at most %d can be given",
			       WIRE_INTERFACES_MAX);
	for (size_t i = 0; i < o->interfaces.n; i++) {
		const char *name = o->interfaces.v[i];

		if (!text_is_word(name, FLOWREC_ID_MAX))
			return err_set(err, ERR_USAGE,
				       "--interface '%s': no blanks, at most %d bytes", name,
				       FLOWREC_ID_MAX);
		for (size_t j = 0; j < i; j++)
			if (strcmp(name, o->interfaces.v[j]) == 0)
				return err_set(err, ERR_USAGE, "--interface %s is given twice",
					       name);
	}
	return 0;
}

static int understand_offload(struct options *o, struct err *err)
{
	static const char *const words[] = {[WIRE_OFFLOAD_AS_IS] = "as-is",
					    [WIRE_OFFLOAD_ESTIMATE] = "estimate",
					    [WIRE_OFFLOAD_KERNEL] = "kernel"};

	for (unsigned mode = WIRE_OFFLOAD_AS_IS; o->offload && mode <= WIRE_OFFLOAD_KERNEL; mode++)
		if (strcmp(o->offload, words[mode]) == 0)
			o->offload_mode = (enum wire_offload)mode;
	if (o->offload && o->offload_mode == WIRE_OFFLOAD_UNKNOWN)
		return err_set(err, ERR_USAGE, "--offload %s: give kernel, estimate or as-is",
			       o->offload);
	if (o->offload_mode == WIRE_OFFLOAD_KERNEL && (o->read || o->filter))
		return err_set(err, ERR_USAGE,
			       "--offload kernel: the kernel tells it live and without --filter "
			       "only; give estimate or as-is");
	return 0;
}

/* "FILE, SIZE": a number of KiB, or with K, M or G behind it. */
static int understand_spool(struct options *o, struct err *err)
{
	const char *comma = o->spool ? strrchr(o->spool, ',') : NULL;
	size_t len = comma ? (size_t)(comma - o->spool) : 0;
	const char *number = comma ? comma + 1 + strspn(comma + 1, " ") : "";
	uint64_t kib = 0;
	char *end = NULL;

	if (!o->spool)
		return 0;
	if (*number >= '0' && *number <= '9')
		kib = strtoull(number, &end, 10);
	if (kib > OPTIONS_SPOOL_MAX_KIB)
		kib = OPTIONS_SPOOL_MAX_KIB + 1;
	if (end && (*end == 'M' || *end == 'G'))
		kib *= *end == 'M' ? 1024 : 1024 * 1024;
	if (end && *end && strchr("KMG", *end))
		end++;
	if (!end || *end || len == 0 || len >= OPTIONS_PATH_MAX)
		return err_set(err, ERR_USAGE,
			       "--spool '%s': give it as \"FILE, SIZE\", the size in KiB or as 64M",
			       o->spool);
	if (kib < OPTIONS_SPOOL_MIN_KIB || kib > OPTIONS_SPOOL_MAX_KIB)
		return err_set(err, ERR_USAGE, "--spool: a size between %d and %d KiB",
			       OPTIONS_SPOOL_MIN_KIB, OPTIONS_SPOOL_MAX_KIB);
	if (o->read || o->collectors.n == 0)
		return err_set(err, ERR_USAGE,
			       "--spool is for live capture with a collector (--interface, "
			       "--collector)");
	memcpy(o->spool_path, o->spool, len);
	o->spool_path[len] = '\0';
	o->spool_bytes = kib * 1024;
	return 0;
}

static int understand_metrics(struct options *o, struct err *err)
{
	static const uint8_t loopback6[16] = {[15] = 1};
	const struct endpoint *at = &o->metrics_at;
	struct err why;

	if (!o->metrics)
		return 0;
	if (o->read)
		return err_set(err, ERR_USAGE, "--metrics is for live capture (--interface)");
	if (endpoint_parse(o->metrics, &o->metrics_at, &why) != 0)
		return err_set(err, ERR_USAGE, "--metrics: %s", why.text);
	if (!o->metrics_remote &&
	    (at->family == 4 ? at->addr.b[0] != 127 : memcmp(at->addr.b, loopback6, 16) != 0))
		return err_set(err, ERR_USAGE,
			       "--metrics %s is no loopback address; if others may read them, give "
			       "--metrics-remote too",
			       o->metrics);
	return 0;
}

static bool is_log_path(const char *path)
{
	const char *name = strrchr(path, '/');

	return path[0] == '/' && text_is_plain(path, WIRE_LOG_PATH_MAX) && name[1] &&
	       strcmp(name, "/.") != 0 && strcmp(name, "/..") != 0;
}

static int understand_tail(struct options *o, struct err *err)
{
	o->tail_from_start = o->tail_from && strcmp(o->tail_from, "start") == 0;
	if (o->tail_from && !o->tail_from_start && strcmp(o->tail_from, "end") != 0)
		return err_set(err, ERR_USAGE, "--tail-from '%s': it is start or end",
			       o->tail_from);
	if (o->tails.n > WIRE_LOGS_MAX)
		return err_set(err, ERR_USAGE, "--tail: at most %d files can be followed",
			       WIRE_LOGS_MAX);
	for (size_t i = 0; i < o->tails.n; i++) {
		if (!is_log_path(o->tails.v[i]))
			return err_set(err, ERR_USAGE,
				       "--tail '%s': give a file's whole path, from / on, of at "
				       "most %d bytes",
				       o->tails.v[i], WIRE_LOG_PATH_MAX);
		for (size_t j = 0; j < i; j++)
			if (strcmp(o->tails.v[i], o->tails.v[j]) == 0)
				return err_set(err, ERR_USAGE, "--tail %s is given twice",
					       o->tails.v[i]);
	}
	if (o->tails.n && (o->read || o->collectors.n == 0))
		return err_set(err, ERR_USAGE,
			       "--tail needs a collector and a live capture: --collector, "
			       "--interface");
	return 0;
}

static int understand(struct options *o, struct err *err)
{
	int rc;

	if (o->read && o->interfaces.n)
		return err_set(err, ERR_USAGE,
			       "--read and --interface exclude each other: give one");
	if (!o->read && o->interfaces.n == 0)
		return err_set(err, ERR_USAGE,
			       "nothing to look at: give --read FILE or --interface IF");
	rc = check_interfaces(o, err);
	if (rc)
		return rc;
	if (o->window != 60 && o->window != 600)
		return err_set(err, ERR_USAGE, "--window %llu: windows are 60 or 600 seconds long",
			       (unsigned long long)o->window);
	o->fragment_ports = o->fragments && strcmp(o->fragments, "ports") == 0;
	if (o->fragments && !o->fragment_ports && strcmp(o->fragments, "zero") != 0)
		return err_set(err, ERR_USAGE, "--fragments '%s': it is zero or ports",
			       o->fragments);
	rc = understand_lists(o, err);
	if (!rc)
		rc = understand_spool(o, err);
	if (!rc && IS_ENABLED(CONFIG_TAIL))
		rc = understand_tail(o, err);
	if (!rc && IS_ENABLED(CONFIG_MIRROR))
		rc = understand_mirror(o, err);
	if (!rc)
		rc = options_understand_identity(o, err);
	if (!rc)
		rc = understand_offload(o, err);
	if (!rc)
		rc = understand_metrics(o, err);
	if (rc)
		return rc;
	if (o->collectors.n && (!o->id || (!o->ca && !CA_BUILT_IN) || !o->cert || !o->key))
		return err_set(err, ERR_USAGE, "--collector needs --id, %s--cert and --key",
			       CA_BUILT_IN ? "" : "--ca, ");
	if (o->canary && (!o->collectors.n || o->read))
		return err_set(
			err, ERR_USAGE,
			"--canary needs a collector and a live capture: --collector, --interface");
	if (o->canary) {
		struct err why;

		if (endpoint_parse(o->canary, &o->canary_at, &why) != 0)
			return err_set(err, ERR_USAGE, "--canary: %s", why.text);
	}
	if (o->id && !wire_sensor_id_ok(o->id))
		return err_set(err, ERR_USAGE,
			       "--id '%s': letters, digits, '.', '_' and '-', at most %d", o->id,
			       WIRE_SENSOR_ID_MAX - 1);
	if (o->fields) {
		rc = flowrec_format_parse(&o->format, o->fields, err);
		if (rc)
			return rc;
	} else {
		flowrec_format_default(&o->format);
	}
	return 0;
}

int options_read(struct options *ret, int argc, char **argv, struct err *err)
{
	int rest, rc;

	memset(ret, 0, sizeof *ret);
	rc = settings_read(table, N_SETTINGS, ret, argc, argv, &rest, err);
	/* What sets interfaces up has no use for keys, which may be handed in only later. */
	if (rc || ret->help || ret->version || ret->self_test || ret->bring_up)
		return rc;
	if (rest < argc)
		return err_set(err, ERR_USAGE, "'%s' is no option; --help lists them", argv[rest]);
	return understand(ret, err);
}

void options_free(struct options *o)
{
	options_free_identity(o);
	settings_free(table, N_SETTINGS, o);
}

void options_help(FILE *out)
{
	fputs("usage: flowproof-sensor -r FILE|- [-o FILE|-] [-s HOST:PORT ...] [option ...]\n"
	      "       flowproof-sensor -i IF [-i IF ...] -s HOST:PORT --id ID --ca F --cert F "
	      "--key F [option ...]\n\n"
	      "Summarises packets into VPC Flow Logs records, flags what the policy does not\n"
	      "expect, and streams both to a collector.\n\n",
	      out);
	settings_help(table, N_SETTINGS, out);
	fputs("\n", out);
	flowrec_help(out);
	fputs("\nExit status: 0 fine, 2 usage or configuration, 3 failed (what was read until then "
	      "is written).\n",
	      out);
}

void options_print(const struct options *o, FILE *out)
{
	settings_print(table, N_SETTINGS, o, out);
}
