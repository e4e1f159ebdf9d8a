// SPDX-License-Identifier: Apache-2.0
/*
 * See options.h.
 */
#include "collector/options.h"

#include <stddef.h>

#include "platform/settings.h"

#define AT(member) offsetof(struct collector_options, member)

static const struct setting table[] = {
	OPTION_TEXT("store", 'd', AT(store), "DIR",
		    "Where the ledger is kept. Made if it is missing. Nothing else belongs there."),
	OPTION_TEXT("listen", 'l', AT(listen), "ADDR:PORT",
		    "Address and port to listen at, as 192.0.2.1:4740 or [::]:4740."),
	OPTION_TEXT("ca", 0, AT(ca), "FILE",
		    "Certificate of the CA that signs the sensors' certificates (PEM)."),
	OPTION_TEXT("cert", 0, AT(cert), "FILE",
		    "The collector's certificate, made by `flowproof pki init` (PEM)."),
	OPTION_TEXT("key", 0, AT(key), "FILE", "Its private key (PEM)."),
	OPTION_TEXT("crl", 0, AT(crl), "FILE",
		    "List of revoked certificates, made by `flowproof pki revoke` (PEM). Read "
		    "again at SIGHUP: who is on it is cut off."),
	OPTION_TEXT(
		"canary", 0, AT(canary), "ADDR:PORT",
		"UDP address and port at which sensors' canaries are sent back (their --canary)."),
	{.name = "config",
	 .letter = 'c',
	 .kind = SETTING_FILE,
	 .offset = AT(config),
	 .arg = "FILE",
	 .help = "Read settings from FILE. The command line wins over it."},
	OPTION_NUMBER("commit-ms", AT(commit_ms), "N", "20", 1, 1000,
		      "Milliseconds a batch may wait for others before all are synced to the disk "
		      "at once and acknowledged."),
	OPTION_NUMBER("seal-s", AT(seal_s), "N", "600", 1, 86400,
		      "Seconds between two manifests: each signs all that came since the one "
		      "before, also if that is nothing."),
	OPTION_NUMBER("segment-s", AT(segment_s), "N", "86400", 1, 31536000,
		      "Seconds after which a sensor's segment is closed and the next one begun. "
		      "Segments are what retention deletes."),
	OPTION_NUMBER(
		"retain-days", AT(retain_days), "N", NULL, 1, 36500,
		"Delete closed segments that are older. Signed manifests say so. Default: never."),
	OPTION_NUMBER("retain-mib", AT(retain_mib), "N", NULL, 1, 1073741824,
		      "Delete the oldest closed segments while all are larger than N MiB. Signed "
		      "manifests say so. Default: never."),
#ifdef CONFIG_ALERTS
	OPTION_TEXT("alert-file", 0, AT(alerts.file), "FILE",
		    "Tell findings as they come: append them to FILE, a line of JSON each."),
#	ifdef CONFIG_ALERT_SYSLOG
	OPTION_LIST("alert-syslog", AT(alerts.syslog), "HOW:ADDR:PORT",
		    "Tell them by syslog (RFC 5424); HOW is udp, tcp or tls. May be given several "
		    "times."),
#	endif
#	ifdef CONFIG_ALERT_COMMAND
	OPTION_TEXT("alert-command", 0, AT(alerts.command), "PROGRAM",
		    "Run PROGRAM (absolute path, no shell, no arguments) with each on its standard "
		    "input."),
	OPTION_NUMBER("alert-command-s", AT(alerts.command_s), "N", "10", 1, 3600,
		      "Seconds it may take; then it is ended."),
#	endif
#	ifdef CONFIG_ALERT_CURL
	OPTION_LIST("alert-webhook", AT(alerts.webhooks), "URL",
		    "POST each to URL. A value that begins with / is a file that holds it. May be "
		    "given several times."),
	OPTION_TEXT("alert-header-file", 0, AT(alerts.header_file), "FILE",
		    "Header lines for webhooks, `Name: value` each, as a token. https only."),
	OPTION_TEXT("alert-ca", 0, AT(alerts.ca), "FILE",
		    "CAs that webhooks and syslog over TLS are checked against (PEM). Default: the "
		    "system's."),
	OPTION_TEXT("alert-proxy", 0, AT(alerts.proxy), "URL",
		    "Proxy for webhooks, as http://proxy.example:3128. The environment's is never "
		    "asked."),
#	endif
	OPTION_PRESET("alert-format", AT(alerts.format), "FORMAT", "json", "json, ocsf or asff."),
	OPTION_PRESET(
		"alert-severity", AT(alerts.severity), "LEVEL", "low",
		"Tell findings of this severity or graver: info, low, medium, high, critical."),
	OPTION_NUMBER(
		"alert-rate", AT(alerts.rate), "N", "60", 1, 1000000,
		"Alerts a minute to each output but the file; how many more there were is told."),
#endif
#ifdef CONFIG_DELIVER
	OPTION_TEXT("deliver-state", 0, AT(deliver.state), "DIR",
		    "Folder in which deliveries keep how far they are. Made if it is missing; not "
		    "below the store."),
#	ifdef CONFIG_DELIVER_FILES
	OPTION_TEXT("deliver-files", 0, AT(deliver.files), "DIR",
		    "Write Flow Logs files below DIR, named as AWS names them in S3."),
#	endif
	OPTION_PRESET("deliver-format", AT(deliver.format), "FORMAT", "text",
		      "Of Flow Logs files: text, parquet or ocsf."),
	OPTION_PRESET("deliver-layout", AT(deliver.layout), "LAYOUT", "default",
		      "Their folders: default, hourly, hive or hive-hourly."),
	OPTION_TEXT("deliver-fields", 0, AT(deliver.fields), "FIELDS",
		    "Their fields, in order. Default: the 14 of version 2."),
	OPTION_TEXT("deliver-prefix", 0, AT(deliver.prefix), "PREFIX",
		    "What stands before AWSLogs/ in their names."),
	OPTION_NUMBER("deliver-every-s", AT(deliver.every_s), "N", "300", 1, 86400,
		      "Seconds between two passes over what is new. What comes late waits for the "
		      "next one."),
	OPTION_NUMBER("deliver-late-s", AT(deliver.late_s), "N", "120", 0, 3600,
		      "Seconds that records may come after the five minutes in which they end; "
		      "what comes later goes into a further file of the same five minutes."),
#	ifdef CONFIG_DELIVER_S3
	OPTION_TEXT("s3-bucket", 0, AT(deliver.s3.bucket), "NAME",
		    "Put Flow Logs files into this bucket of S3."),
	OPTION_TEXT("s3-endpoint", 0, AT(deliver.s3.endpoint), "URL",
		    "Another server that speaks like S3, as https://host:port. Default: AWS's of "
		    "the region."),
	OPTION_FLAG("s3-path-style", AT(deliver.s3.path_style),
		    "Name the bucket in the path, not before the host."),
	OPTION_TEXT("s3-object-lock", 0, AT(deliver.s3.lock), "MODE:DAYS",
		    "Keep each object from being deleted for so many days: compliance:DAYS (by "
		    "nobody) or governance:DAYS. The bucket must have Object Lock."),
	OPTION_TEXT("s3-kms", 0, AT(deliver.s3.kms), "KEY",
		    "Have objects encrypted by this KMS key (id or ARN), or `default`."),
#	endif
#	ifdef CONFIG_DELIVER_CLOUDWATCH
	OPTION_TEXT("cloudwatch-group", 0, AT(deliver.cloudwatch_group), "NAME",
		    "Put records into this log group of CloudWatch Logs, a stream an interface. "
		    "Made if it is missing."),
	OPTION_TEXT("cloudwatch-endpoint", 0, AT(deliver.cloudwatch_endpoint), "URL",
		    "Another server than AWS's of the region."),
	OPTION_NUMBER("cloudwatch-every-s", AT(deliver.cloudwatch_every_s), "N", "10", 1, 86400,
		      "Seconds between two passes."),
#	endif
#	ifdef CONFIG_DELIVER_AWS
	OPTION_TEXT("aws-region", 0, AT(deliver.aws.region), "REGION",
		    "Region of bucket and log group, as us-east-1."),
	OPTION_TEXT("aws-credentials", 0, AT(deliver.aws.credentials), "FILE",
		    "Keys in AWS's form ([default], aws_access_key_id, ...), mode 0600. Default: "
		    "the environment's, then the container's, then those of the instance's role."),
	OPTION_TEXT("aws-ca", 0, AT(deliver.aws.ca), "FILE",
		    "CAs that endpoints are checked against (PEM). Default: the system's."),
	OPTION_TEXT("aws-proxy", 0, AT(deliver.aws.proxy), "URL",
		    "Proxy for S3 and CloudWatch Logs. The environment's is never asked."),
#	endif
#endif
#ifdef CONFIG_PAGE
	OPTION_TEXT("http", 0, AT(page.http), "[ADDR:]PORT",
		    "Serve the live page, /metrics, /healthz and /readyz there; PORT alone is of "
		    "the loopback address."),
	OPTION_TEXT("http-token-file", 0, AT(page.token_file), "FILE",
		    "Its first line is the token that is needed to see the page. Needed itself "
		    "where the page is served elsewhere than at the loopback address."),
	OPTION_LIST("http-host", AT(page.hosts), "NAME",
		    "A name by which the page may be asked for, beside addresses and localhost. "
		    "May be given several times."),
#endif
#ifdef CONFIG_JETSTREAM
	OPTION_LIST("to-jetstream", AT(relay.to), "URL",
		    "Be a front: what sensors send is acknowledged when it is on disk here and in "
		    "this NATS JetStream (tls://HOST:4222; one URL for each server of it). The "
		    "store is a journal; writers keep the ledger."),
	OPTION_LIST("from-jetstream", AT(relay.from), "URL",
		    "Be a writer: keep the ledger of what fronts put there. No sensor connects."),
	OPTION_PRESET("jetstream-stream", AT(relay.stream), "NAME", "FLOWPROOF",
		      "The stream. A front makes it if it is missing."),
	OPTION_NUMBER("jetstream-replicas", AT(relay.replicas), "N", "3", 1, 5,
		      "Servers that hold a message before it counts."),
	OPTION_NUMBER(
		"jetstream-max-age-h", AT(relay.max_age_h), "N", "72", 1, 87600,
		"Hours that the stream keeps a message: a writer must not be away for longer."),
	OPTION_NUMBER(
		"jetstream-partitions", AT(relay.partitions), "N", "1", 1, 1024,
		"Parts into which sensors are divided by their ids: one writer each. The same for "
		"all fronts and writers; changed only while nothing waits in the stream."),
	OPTION_NUMBER("jetstream-partition", AT(relay.partition), "N", "0", 0, 1023,
		      "The writer's, from 0."),
	OPTION_TEXT("jetstream-ca", 0, AT(relay.ca), "FILE",
		    "CA of the NATS servers (PEM). Default: the system's."),
	OPTION_TEXT("jetstream-cert", 0, AT(relay.cert), "FILE",
		    "Client certificate for them (PEM)."),
	OPTION_TEXT("jetstream-key", 0, AT(relay.key), "FILE", "Its private key (PEM)."),
	OPTION_TEXT("jetstream-credentials", 0, AT(relay.credentials), "FILE",
		    "User's JWT and seed for them (.creds)."),
#endif
	{.name = "quiet",
	 .letter = 'q',
	 .kind = SETTING_FLAG,
	 .offset = AT(quiet),
	 .help = "Print nothing on standard output. Alerts and warnings go to the log."},
	OPTION_NUMBER("user-id", AT(user_id), "N", NULL, 1, 4294967294,
		      "User to become after the start, by number. Default: the owner of the store, "
		      "or 65534 if that is root, and the store becomes that user's. Started "
		      "without root: no effect."),
	OPTION_FLAG("lock-memory", AT(lock_memory), "Keep all memory out of the swap space."),
	OPTION_FLAG("no-sandbox", AT(no_sandbox),
		    "Keep all rights after the start. For debugging."),
	OPTION_FLAG(
		"sandbox-eperm", AT(sandbox_eperm),
		"Let forbidden system calls fail instead of ending the collector. For debugging."),
	OPTION_FLAG("debug", AT(debug), "Log more."),
	{.name = "check",
	 .kind = SETTING_ACTION,
	 .offset = AT(check),
	 .help = "Check settings, certificates and store, print the effective configuration, and "
		 "end."},
	{.name = "self-test",
	 .kind = SETTING_ACTION,
	 .offset = AT(self_test),
	 .help = "Enter the sandbox, print what is in force by trying, and end. With --store, "
		 "writing there is tried too; it leaves nothing behind."},
	OPTION_HELP(AT(help)),
	{.name = "version",
	 .letter = 'V',
	 .kind = SETTING_ACTION,
	 .offset = AT(version),
	 .help = "Print the version."},
};

enum { SETTINGS = sizeof table / sizeof table[0] };

static int need(const char *value, const char *name, struct err *err)
{
	return value && *value ? 0
			       : err_set(err, ERR_USAGE,
					 "--%s is missing: give it on the command line or in the "
					 "configuration file",
					 name);
}

int collector_options_read(struct collector_options *o, int argc, char **argv, struct err *err)
{
	int rest, rc = settings_read(table, SETTINGS, o, argc, argv, &rest, err);

	if (rc < 0 || o->help || o->version || o->self_test)
		return rc;
	if (rest < argc)
		return err_set(err, ERR_USAGE, "'%s' is not an option", argv[rest]);
	rc = need(o->store, "store", err);
	if (rc == 0 && o->relay.from.n == 0) /* a writer takes no connections */
		rc = need(o->listen, "listen", err);
	if (rc == 0)
		rc = need(o->ca, "ca", err);
	if (rc == 0)
		rc = need(o->cert, "cert", err);
	if (rc == 0)
		rc = need(o->key, "key", err);
	return rc;
}

void collector_options_help(FILE *out)
{
	fprintf(out, "usage: flowproof-collector -d STORE -l ADDR:PORT --ca FILE --cert FILE --key "
		     "FILE\n\n"
		     "Takes the streams of flowproof sensors over mutual TLS, keeps them in a "
		     "ledger, and\n"
		     "acknowledges what is on disk.\n\n");
	settings_help(table, SETTINGS, out);
}

void collector_options_print(const struct collector_options *options, FILE *out)
{
	settings_print(table, SETTINGS, options, out);
}

void collector_options_free(struct collector_options *options)
{
	settings_free(table, SETTINGS, options);
}
