// SPDX-License-Identifier: Apache-2.0
/*
 * account: see account.h.
 */
#include "sensor/account.h"

static uint64_t sum_results(const struct account_interface *a, unsigned from, unsigned to)
{
	uint64_t sum = 0;

	for (unsigned i = from; i < to; i++)
		sum += a->result[i];
	return sum;
}

bool account_kernel(struct account *account, uint16_t iface, const struct capture_stats *now)
{
	struct capture_stats *kernel = &account->of[iface].kernel;
	bool more = now->dropped > kernel->dropped;

	*kernel = *now;
	return more;
}

void account_end(struct account *account)
{
	for (uint16_t i = 0; i < account->n; i++) {
		struct account_interface *a = &account->of[i];

		if (a->kernel.known && a->kernel.received > a->received + a->passed_on)
			a->cut = a->kernel.received - a->received - a->passed_on;
	}
}

void account_fill(const struct account *account, uint16_t iface, uint64_t live, uint64_t window,
		  struct batch_account *ret)
{
	const struct account_interface *a = &account->of[iface];

	*ret = (struct batch_account){
		.window = window,
		.iface = iface,
		.received = a->received + a->cut,
		.recorded = a->recorded,
		.live = live,
		.not_ip = sum_results(a, DECODE_FIRST_NOT_IP, DECODE_FIRST_BAD),
		.malformed = sum_results(a, DECODE_FIRST_BAD, DECODE_RESULTS),
		.cut = a->cut,
		.snapped = a->snapped,
		.bad_checksum = a->bad_checksum,
		.beyond_wire = a->beyond_wire,
		.kernel_dropped = a->kernel.dropped,
		.kernel_known = a->kernel.known,
	};
}

void account_add(struct batch_account *sum, const struct batch_account *more)
{
	sum->received += more->received;
	sum->recorded += more->recorded;
	sum->live += more->live;
	sum->not_ip += more->not_ip;
	sum->malformed += more->malformed;
	sum->cut += more->cut;
	sum->snapped += more->snapped;
	sum->bad_checksum += more->bad_checksum;
	sum->beyond_wire += more->beyond_wire;
	sum->kernel_dropped += more->kernel_dropped;
	sum->nic_dropped += more->nic_dropped;
	sum->kernel_known = sum->kernel_known && more->kernel_known;
	sum->nic_known = sum->nic_known && more->nic_known;
}

/* ---- text ---- */

static void print_reasons(const struct account *account, FILE *out, const char *title,
			  unsigned from, unsigned to)
{
	bool any = false;

	for (unsigned r = from; r < to; r++) {
		uint64_t n = 0;

		for (uint16_t i = 0; i < account->n; i++)
			n += account->of[i].result[r];
		if (!n)
			continue;
		fprintf(out, "%s%s=%llu", any ? " " : title,
			decode_result_text((enum decode_result)r), (unsigned long long)n);
		any = true;
	}
	if (any)
		fputc('\n', out);
}

static const char *known(char out[static 24], bool is_known, uint64_t n)
{
	snprintf(out, 24, is_known ? "%llu" : "unknown", (unsigned long long)n);
	return out;
}

void account_print(const struct account *account, const struct batch_account *sum, FILE *out)
{
	char kernel[24], nic[24];

	print_reasons(account, out, "not-ip: ", DECODE_FIRST_NOT_IP, DECODE_FIRST_BAD);
	print_reasons(account, out, "malformed: ", DECODE_FIRST_BAD, DECODE_RESULTS);
	if (sum->snapped || sum->bad_checksum || sum->beyond_wire)
		fprintf(out,
			"counted all the same: snapped=%llu ip-checksum=%llu "
			"length-beyond-wire=%llu\n",
			(unsigned long long)sum->snapped, (unsigned long long)sum->bad_checksum,
			(unsigned long long)sum->beyond_wire);
	fprintf(out,
		"packets: received %llu = recorded %llu + not-ip %llu + malformed %llu + cut %llu "
		"(residual %lld); "
		"kernel dropped %s, nic dropped %s\n",
		(unsigned long long)sum->received, (unsigned long long)(sum->recorded + sum->live),
		(unsigned long long)sum->not_ip, (unsigned long long)sum->malformed,
		(unsigned long long)sum->cut, (long long)batch_account_residual(sum),
		known(kernel, sum->kernel_known, sum->kernel_dropped),
		known(nic, sum->nic_known, sum->nic_dropped));
}
