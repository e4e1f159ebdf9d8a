// SPDX-License-Identifier: Apache-2.0
/*
 * See options.h.
 */
#include "collector/options.h"

#include <stddef.h>

#include "platform/settings.h"

#define AT(member) offsetof(struct collector_options, member)

static const struct setting table[] = {
	{.name = "store",
	 .letter = 'd',
	 .kind = SETTING_TEXT,
	 .offset = AT(store),
	 .arg = "DIR",
	 .help = "Where the ledger is kept. Made if it is missing. Nothing else belongs there."},
	{.name = "listen",
	 .letter = 'l',
	 .kind = SETTING_TEXT,
	 .offset = AT(listen),
	 .arg = "ADDR:PORT",
	 .help = "Address and port to listen at, as 192.0.2.1:4740 or [::]:4740."},
	{.name = "ca",
	 .kind = SETTING_TEXT,
	 .offset = AT(ca),
	 .arg = "FILE",
	 .help = "Certificate of the CA that signs the sensors' certificates (PEM)."},
	{.name = "cert",
	 .kind = SETTING_TEXT,
	 .offset = AT(cert),
	 .arg = "FILE",
	 .help = "The collector's certificate, made by `flowproof pki init` (PEM)."},
	{.name = "key",
	 .kind = SETTING_TEXT,
	 .offset = AT(key),
	 .arg = "FILE",
	 .help = "Its private key (PEM)."},
	{.name = "crl",
	 .kind = SETTING_TEXT,
	 .offset = AT(crl),
	 .arg = "FILE",
	 .help = "List of revoked certificates, made by `flowproof pki revoke` (PEM). Read again "
		 "at "
		 "SIGHUP: who is on it is cut off."},
	{.name = "canary",
	 .kind = SETTING_TEXT,
	 .offset = AT(canary),
	 .arg = "ADDR:PORT",
	 .help = "UDP address and port at which sensors' canaries are sent back (their --canary)."},
	{.name = "config",
	 .letter = 'c',
	 .kind = SETTING_FILE,
	 .offset = AT(config),
	 .arg = "FILE",
	 .help = "Read settings from FILE. The command line wins over it."},
	{.name = "commit-ms",
	 .kind = SETTING_NUMBER,
	 .offset = AT(commit_ms),
	 .arg = "N",
	 .preset = "20",
	 .min = 1,
	 .max = 1000,
	 .help = "Milliseconds a batch may wait for others before all are synced to the disk at "
		 "once and "
		 "acknowledged."},
	{.name = "seal-s",
	 .kind = SETTING_NUMBER,
	 .offset = AT(seal_s),
	 .arg = "N",
	 .preset = "600",
	 .min = 1,
	 .max = 86400,
	 .help = "Seconds between two manifests: each signs all that came since the one before, "
		 "also if "
		 "that is nothing."},
	{.name = "segment-s",
	 .kind = SETTING_NUMBER,
	 .offset = AT(segment_s),
	 .arg = "N",
	 .preset = "86400",
	 .min = 1,
	 .max = 31536000,
	 .help = "Seconds after which a sensor's segment is closed and the next one begun. "
		 "Segments are "
		 "what retention deletes."},
	{.name = "retain-days",
	 .kind = SETTING_NUMBER,
	 .offset = AT(retain_days),
	 .arg = "N",
	 .min = 1,
	 .max = 36500,
	 .help = "Delete closed segments that are older. Signed manifests say so. Default: never."},
	{.name = "retain-mib",
	 .kind = SETTING_NUMBER,
	 .offset = AT(retain_mib),
	 .arg = "N",
	 .min = 1,
	 .max = 1073741824,
	 .help = "Delete the oldest closed segments while all are larger than N MiB. Signed "
		 "manifests say "
		 "so. Default: never."},
#ifdef CONFIG_ALERTS
	{.name = "alert-file",
	 .kind = SETTING_TEXT,
	 .offset = AT(alerts.file),
	 .arg = "FILE",
	 .help = "Tell findings as they come: append them to FILE, a line of JSON each."},
#	ifdef CONFIG_ALERT_SYSLOG
	{.name = "alert-syslog",
	 .kind = SETTING_LIST,
	 .offset = AT(alerts.syslog),
	 .arg = "HOW:ADDR:PORT",
	 .help = "Tell them by syslog (RFC 5424); HOW is udp, tcp or tls. May be given several "
		 "times."},
#	endif
#	ifdef CONFIG_ALERT_COMMAND
	{.name = "alert-command",
	 .kind = SETTING_TEXT,
	 .offset = AT(alerts.command),
	 .arg = "PROGRAM",
	 .help = "Run PROGRAM (absolute path, no shell, no arguments) with each on its standard "
		 "input."},
	{.name = "alert-command-s",
	 .kind = SETTING_NUMBER,
	 .offset = AT(alerts.command_s),
	 .arg = "N",
	 .preset = "10",
	 .min = 1,
	 .max = 3600,
	 .help = "Seconds it may take; then it is ended."},
#	endif
#	ifdef CONFIG_ALERT_CURL
	{.name = "alert-webhook",
	 .kind = SETTING_LIST,
	 .offset = AT(alerts.webhooks),
	 .arg = "URL",
	 .help = "POST each to URL. A value that begins with / is a file that holds it. May be "
		 "given several times."},
	{.name = "alert-header-file",
	 .kind = SETTING_TEXT,
	 .offset = AT(alerts.header_file),
	 .arg = "FILE",
	 .help = "Header lines for webhooks, `Name: value` each, as a token. https only."},
	{.name = "alert-ca",
	 .kind = SETTING_TEXT,
	 .offset = AT(alerts.ca),
	 .arg = "FILE",
	 .help = "CAs that webhooks and syslog over TLS are checked against (PEM). Default: the "
		 "system's."},
	{.name = "alert-proxy",
	 .kind = SETTING_TEXT,
	 .offset = AT(alerts.proxy),
	 .arg = "URL",
	 .help = "Proxy for webhooks, as http://proxy.example:3128. The environment's is never "
		 "asked."},
#	endif
	{.name = "alert-format",
	 .kind = SETTING_TEXT,
	 .offset = AT(alerts.format),
	 .arg = "FORMAT",
	 .preset = "json",
	 .help = "json, ocsf or asff."},
	{.name = "alert-severity",
	 .kind = SETTING_TEXT,
	 .offset = AT(alerts.severity),
	 .arg = "LEVEL",
	 .preset = "low",
	 .help = "Tell findings of this severity or graver: info, low, medium, high, critical."},
	{.name = "alert-rate",
	 .kind = SETTING_NUMBER,
	 .offset = AT(alerts.rate),
	 .arg = "N",
	 .preset = "60",
	 .min = 1,
	 .max = 1000000,
	 .help = "Alerts a minute to each output but the file; how many more there were is told."},
#endif
#ifdef CONFIG_DELIVER
	{.name = "deliver-state",
	 .kind = SETTING_TEXT,
	 .offset = AT(deliver.state),
	 .arg = "DIR",
	 .help = "Folder in which deliveries keep how far they are. Made if it is missing; not "
		 "below "
		 "the store."},
#	ifdef CONFIG_DELIVER_FILES
	{.name = "deliver-files",
	 .kind = SETTING_TEXT,
	 .offset = AT(deliver.files),
	 .arg = "DIR",
	 .help = "Write Flow Logs files below DIR, named as AWS names them in S3."},
#	endif
	{.name = "deliver-format",
	 .kind = SETTING_TEXT,
	 .offset = AT(deliver.format),
	 .arg = "FORMAT",
	 .preset = "text",
	 .help = "Of Flow Logs files: text, parquet or ocsf."},
	{.name = "deliver-layout",
	 .kind = SETTING_TEXT,
	 .offset = AT(deliver.layout),
	 .arg = "LAYOUT",
	 .preset = "default",
	 .help = "Their folders: default, hourly, hive or hive-hourly."},
	{.name = "deliver-fields",
	 .kind = SETTING_TEXT,
	 .offset = AT(deliver.fields),
	 .arg = "FIELDS",
	 .help = "Their fields, in order. Default: the 14 of version 2."},
	{.name = "deliver-prefix",
	 .kind = SETTING_TEXT,
	 .offset = AT(deliver.prefix),
	 .arg = "PREFIX",
	 .help = "What stands before AWSLogs/ in their names."},
	{.name = "deliver-every-s",
	 .kind = SETTING_NUMBER,
	 .offset = AT(deliver.every_s),
	 .arg = "N",
	 .preset = "300",
	 .min = 1,
	 .max = 86400,
	 .help = "Seconds between two passes over what is new. What comes late waits for the next "
		 "one."},
	{.name = "deliver-late-s",
	 .kind = SETTING_NUMBER,
	 .offset = AT(deliver.late_s),
	 .arg = "N",
	 .preset = "120",
	 .min = 0,
	 .max = 3600,
	 .help = "Seconds that records may come after the five minutes in which they end; what "
		 "comes later goes into a further file of the same five minutes."},
#	ifdef CONFIG_DELIVER_S3
	{.name = "s3-bucket",
	 .kind = SETTING_TEXT,
	 .offset = AT(deliver.s3.bucket),
	 .arg = "NAME",
	 .help = "Put Flow Logs files into this bucket of S3."},
	{.name = "s3-endpoint",
	 .kind = SETTING_TEXT,
	 .offset = AT(deliver.s3.endpoint),
	 .arg = "URL",
	 .help = "Another server that speaks like S3, as https://host:port. Default: AWS's of the "
		 "region."},
	{.name = "s3-path-style",
	 .kind = SETTING_FLAG,
	 .offset = AT(deliver.s3.path_style),
	 .help = "Name the bucket in the path, not before the host."},
	{.name = "s3-object-lock",
	 .kind = SETTING_TEXT,
	 .offset = AT(deliver.s3.lock),
	 .arg = "MODE:DAYS",
	 .help = "Keep each object from being deleted for so many days: compliance:DAYS (by "
		 "nobody) "
		 "or governance:DAYS. The bucket must have Object Lock."},
	{.name = "s3-kms",
	 .kind = SETTING_TEXT,
	 .offset = AT(deliver.s3.kms),
	 .arg = "KEY",
	 .help = "Have objects encrypted by this KMS key (id or ARN), or `default`."},
#	endif
#	ifdef CONFIG_DELIVER_CLOUDWATCH
	{.name = "cloudwatch-group",
	 .kind = SETTING_TEXT,
	 .offset = AT(deliver.cloudwatch_group),
	 .arg = "NAME",
	 .help = "Put records into this log group of CloudWatch Logs, a stream an interface. Made "
		 "if it is missing."},
	{.name = "cloudwatch-endpoint",
	 .kind = SETTING_TEXT,
	 .offset = AT(deliver.cloudwatch_endpoint),
	 .arg = "URL",
	 .help = "Another server than AWS's of the region."},
	{.name = "cloudwatch-every-s",
	 .kind = SETTING_NUMBER,
	 .offset = AT(deliver.cloudwatch_every_s),
	 .arg = "N",
	 .preset = "10",
	 .min = 1,
	 .max = 86400,
	 .help = "Seconds between two passes."},
#	endif
#	ifdef CONFIG_DELIVER_AWS
	{.name = "aws-region",
	 .kind = SETTING_TEXT,
	 .offset = AT(deliver.aws.region),
	 .arg = "REGION",
	 .help = "Region of bucket and log group, as us-east-1."},
	{.name = "aws-credentials",
	 .kind = SETTING_TEXT,
	 .offset = AT(deliver.aws.credentials),
	 .arg = "FILE",
	 .help = "Keys in AWS's form ([default], aws_access_key_id, ...), mode 0600. Default: the "
		 "environment's, then the container's, then those of the instance's role."},
	{.name = "aws-ca",
	 .kind = SETTING_TEXT,
	 .offset = AT(deliver.aws.ca),
	 .arg = "FILE",
	 .help = "CAs that endpoints are checked against (PEM). Default: the system's."},
	{.name = "aws-proxy",
	 .kind = SETTING_TEXT,
	 .offset = AT(deliver.aws.proxy),
	 .arg = "URL",
	 .help = "Proxy for S3 and CloudWatch Logs. The environment's is never asked."},
#	endif
#endif
#ifdef CONFIG_PAGE
	{.name = "http",
	 .kind = SETTING_TEXT,
	 .offset = AT(page.http),
	 .arg = "[ADDR:]PORT",
	 .help = "Serve the live page, /metrics, /healthz and /readyz there; PORT alone is of the "
		 "loopback "
		 "address."},
	{.name = "http-token-file",
	 .kind = SETTING_TEXT,
	 .offset = AT(page.token_file),
	 .arg = "FILE",
	 .help = "Its first line is the token that is needed to see the page. Needed itself where "
		 "the page is "
		 "served elsewhere than at the loopback address."},
	{.name = "http-host",
	 .kind = SETTING_LIST,
	 .offset = AT(page.hosts),
	 .arg = "NAME",
	 .help = "A name by which the page may be asked for, beside addresses and localhost. May "
		 "be given "
		 "several times."},
#endif
#ifdef CONFIG_JETSTREAM
	{.name = "to-jetstream",
	 .kind = SETTING_LIST,
	 .offset = AT(relay.to),
	 .arg = "URL",
	 .help = "Be a front: what sensors send is acknowledged when it is on disk here and in "
		 "this "
		 "NATS JetStream (tls://HOST:4222; one URL for each server of it). The store "
		 "is a journal; writers keep the ledger."},
	{.name = "from-jetstream",
	 .kind = SETTING_LIST,
	 .offset = AT(relay.from),
	 .arg = "URL",
	 .help = "Be a writer: keep the ledger of what fronts put there. No sensor connects."},
	{.name = "jetstream-stream",
	 .kind = SETTING_TEXT,
	 .offset = AT(relay.stream),
	 .arg = "NAME",
	 .preset = "FLOWPROOF",
	 .help = "The stream. A front makes it if it is missing."},
	{.name = "jetstream-replicas",
	 .kind = SETTING_NUMBER,
	 .offset = AT(relay.replicas),
	 .arg = "N",
	 .preset = "3",
	 .min = 1,
	 .max = 5,
	 .help = "Servers that hold a message before it counts."},
	{.name = "jetstream-max-age-h",
	 .kind = SETTING_NUMBER,
	 .offset = AT(relay.max_age_h),
	 .arg = "N",
	 .preset = "72",
	 .min = 1,
	 .max = 87600,
	 .help = "Hours that the stream keeps a message: a writer must not be away for longer."},
	{.name = "jetstream-partitions",
	 .kind = SETTING_NUMBER,
	 .offset = AT(relay.partitions),
	 .arg = "N",
	 .preset = "1",
	 .min = 1,
	 .max = 1024,
	 .help = "Parts into which sensors are divided by their ids: one writer each. The same for "
		 "all fronts and writers; changed only while nothing waits in the stream."},
	{.name = "jetstream-partition",
	 .kind = SETTING_NUMBER,
	 .offset = AT(relay.partition),
	 .arg = "N",
	 .preset = "0",
	 .min = 0,
	 .max = 1023,
	 .help = "The writer's, from 0."},
	{.name = "jetstream-ca",
	 .kind = SETTING_TEXT,
	 .offset = AT(relay.ca),
	 .arg = "FILE",
	 .help = "CA of the NATS servers (PEM). Default: the system's."},
	{.name = "jetstream-cert",
	 .kind = SETTING_TEXT,
	 .offset = AT(relay.cert),
	 .arg = "FILE",
	 .help = "Client certificate for them (PEM)."},
	{.name = "jetstream-key",
	 .kind = SETTING_TEXT,
	 .offset = AT(relay.key),
	 .arg = "FILE",
	 .help = "Its private key (PEM)."},
	{.name = "jetstream-credentials",
	 .kind = SETTING_TEXT,
	 .offset = AT(relay.credentials),
	 .arg = "FILE",
	 .help = "User's JWT and seed for them (.creds)."},
#endif
	{.name = "quiet",
	 .letter = 'q',
	 .kind = SETTING_FLAG,
	 .offset = AT(quiet),
	 .help = "Print nothing on standard output. Alerts and warnings go to the log."},
	{.name = "user-id",
	 .kind = SETTING_NUMBER,
	 .offset = AT(user_id),
	 .arg = "N",
	 .min = 1,
	 .max = 4294967294,
	 .help = "User to become after the start, by number. Default: the owner of the store, or "
		 "65534 if that is root, and the store becomes that user's. Started without root: "
		 "no effect."},
	{.name = "lock-memory",
	 .kind = SETTING_FLAG,
	 .offset = AT(lock_memory),
	 .help = "Keep all memory out of the swap space."},
	{.name = "no-sandbox",
	 .kind = SETTING_FLAG,
	 .offset = AT(no_sandbox),
	 .help = "Keep all rights after the start. For debugging."},
	{.name = "sandbox-eperm",
	 .kind = SETTING_FLAG,
	 .offset = AT(sandbox_eperm),
	 .help = "Let forbidden system calls fail instead of ending the collector. For debugging."},
	{.name = "debug", .kind = SETTING_FLAG, .offset = AT(debug), .help = "Log more."},
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
	{.name = "help",
	 .letter = 'h',
	 .kind = SETTING_ACTION,
	 .offset = AT(help),
	 .help = "Print this."},
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
					 "--%s is missing: give it on the command line or in "
					 "the configuration file",
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
	fprintf(out,
		"usage: flowproof-collector -d STORE -l ADDR:PORT --ca FILE --cert FILE --key "
		"FILE\n\n"
		"Takes the streams of flowproof sensors over mutual TLS, keeps them in a ledger, "
		"and\n"
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
