// SPDX-License-Identifier: Apache-2.0
/*
 * account: see account.h.
 */
#include "sensor/account.h"

#include <string.h>

_Static_assert((int)NIC_ALLOWANCES == (int)BATCH_ALLOWANCES, "a batch takes them all");

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

void account_offload(struct account *account, uint16_t iface, uint64_t bytes,
		     const struct decoded *decoded)
{
	struct account_interface *a = &account->of[iface];

	a->offload_frames++;
	a->offload_packets += decoded->packets - 1;
	a->offload_bytes += decoded->bytes - bytes;
}

bool account_nic(struct account *account, uint16_t iface, const struct nic_counters *now)
{
	struct account_nic *nic = &account->of[iface].nic;
	uint64_t last = nic->last;

	nic->known = now->known && !nic->stepped_back;
	if (!nic->known)
		return false;
	nic->last = now->dropped;
	if (!nic->begun) {
		nic->begun = true;
		nic->first = now->dropped;
		return false;
	}
	nic->stepped_back = now->dropped < last;
	nic->known = !nic->stepped_back;
	return now->dropped != last;
}

void account_allowances(struct account *account, uint16_t iface, const uint64_t *now)
{
	struct account_nic *nic = &account->of[iface].nic;

	nic->allowances_known = now != NULL;
	if (!now)
		return;
	if (!nic->allowances_begun)
		memcpy(nic->allowances_first, now, sizeof nic->allowances_first);
	nic->allowances_begun = true;
	for (unsigned i = 0; i < NIC_ALLOWANCES; i++)
		if (now[i] < nic->allowances_first[i])
			nic->allowances_known = false;
	memcpy(nic->allowances, now, sizeof nic->allowances);
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
		.offload_frames = a->offload_frames,
		.offload_packets = a->offload_packets,
		.offload_bytes = a->offload_bytes,
		.kernel_dropped = a->kernel.dropped,
		.kernel_known = a->kernel.known,
		.nic_dropped = a->nic.known ? a->nic.last - a->nic.first : 0,
		.nic_known = a->nic.known,
		.allowances_known = a->nic.allowances_known,
	};
	for (unsigned i = 0; i < NIC_ALLOWANCES && ret->allowances_known; i++)
		ret->allowances[i] = a->nic.allowances[i] - a->nic.allowances_first[i];
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
	sum->offload_frames += more->offload_frames;
	sum->offload_packets += more->offload_packets;
	sum->offload_bytes += more->offload_bytes;
	for (unsigned i = 0; i < NIC_ALLOWANCES; i++)
		sum->allowances[i] += more->allowances[i];
	sum->allowances_known = sum->allowances_known && more->allowances_known;
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

static void print_offload(const struct batch_account *sum, FILE *out)
{
	if (!sum->offload_frames)
		return;
	fprintf(out, "offload: %llu frames longer than the wire's packets",
		(unsigned long long)sum->offload_frames);
	if (sum->offload_packets)
		fprintf(out, ", counted as %llu packets and %llu bytes more\n",
			(unsigned long long)(sum->offload_frames + sum->offload_packets),
			(unsigned long long)sum->offload_bytes);
	else
		fputs(", each counted as one\n", out);
}

void account_print(const struct account *account, const struct batch_account *sum, FILE *out)
{
	char kernel[24], nic[24], added[40] = "";

	print_reasons(account, out, "not-ip: ", DECODE_FIRST_NOT_IP, DECODE_FIRST_BAD);
	print_reasons(account, out, "malformed: ", DECODE_FIRST_BAD, DECODE_RESULTS);
	if (sum->snapped || sum->bad_checksum || sum->beyond_wire)
		fprintf(out,
			"counted all the same: snapped=%llu ip-checksum=%llu "
			"length-beyond-wire=%llu\n",
			(unsigned long long)sum->snapped, (unsigned long long)sum->bad_checksum,
			(unsigned long long)sum->beyond_wire);
	print_offload(sum, out);
	if (sum->allowances_known)
		fprintf(out,
			"allowances exceeded: bw-in %llu, bw-out %llu, pps %llu, conntrack %llu, "
			"linklocal %llu\n",
			(unsigned long long)sum->allowances[NIC_BW_IN],
			(unsigned long long)sum->allowances[NIC_BW_OUT],
			(unsigned long long)sum->allowances[NIC_PPS],
			(unsigned long long)sum->allowances[NIC_CONNTRACK],
			(unsigned long long)sum->allowances[NIC_LINKLOCAL]);
	if (sum->offload_packets)
		snprintf(added, sizeof added, " + offload %llu",
			 (unsigned long long)sum->offload_packets);
	fprintf(out,
		"packets: received %llu%s = recorded %llu + not-ip %llu + malformed %llu + cut "
		"%llu "
		"(residual %lld); "
		"kernel dropped %s, nic dropped %s\n",
		(unsigned long long)sum->received, added,
		(unsigned long long)(sum->recorded + sum->live), (unsigned long long)sum->not_ip,
		(unsigned long long)sum->malformed, (unsigned long long)sum->cut,
		(long long)batch_account_residual(sum),
		known(kernel, sum->kernel_known, sum->kernel_dropped),
		known(nic, sum->nic_known, sum->nic_dropped));
}
