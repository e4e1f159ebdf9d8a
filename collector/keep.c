// SPDX-License-Identifier: Apache-2.0
/*
 * See keep.h.
 */
#include "collector/keep.h"

static void add_up(struct keep_totals *totals, const struct flowrec *rec)
{
	bool is_window = rec->status != FLOWREC_OK;
	bool is_first =
		totals->records == 0 && (!is_window || totals->nodata + totals->skipped == 0);

	totals->records += !is_window;
	totals->nodata += rec->status == FLOWREC_NODATA;
	totals->skipped += rec->status == FLOWREC_SKIPDATA;
	totals->packets += rec->packets;
	totals->bytes += rec->bytes;
	if (is_window && totals->records > 0)
		return;
	if (is_first || rec->start < totals->first)
		totals->first = rec->start;
	if (is_first || rec->end > totals->last)
		totals->last = rec->end;
}

/* Sums the records up. False if something belongs to an interface that the hello did not name. */
static bool sum_up(const struct wire_hello *hello, struct batch *batch, struct keep_totals *ret,
		   struct ledger_sum *ret_sum)
{
	const struct batch_account *accounts;
	const struct batch_alert *alerts;
	struct flowrec rec;
	bool ok = true;
	size_t n;

	*ret = (struct keep_totals){.records = 0};
	*ret_sum = ledger_sum_none;
	while (batch_next(batch, &rec)) {
		ok = ok && rec.iface < hello->n_interfaces;
		add_up(ret, &rec);
		ledger_sum_record(ret_sum, &rec);
	}
	ledger_sum_rest(ret_sum, batch);
	alerts = batch_alert_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		ok = ok && alerts[i].iface < hello->n_interfaces;
	accounts = batch_account_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		ok = ok && accounts[i].iface < hello->n_interfaces;
	return ok;
}

static enum keep of_check(int rc)
{
	return rc == ERR_EXISTS ? KEEP_REPEATED : KEEP_REFUSED;
}

enum keep keep_batch(struct ledger_sensor *sensor, const struct wire_hello *hello,
		     uint64_t received_ns, struct batch *batch, const uint8_t *message, size_t len,
		     struct keep_totals *ret, struct err *err)
{
	const struct batch_head *head = batch_head(batch);
	struct batch_chain chain;
	struct ledger_sum sum;
	int rc;

	ledger_stream_chain(sensor, hello->stream, &chain);
	rc = batch_chain_check(&chain, head, err);
	if (rc < 0)
		return of_check(rc);
	if (!sum_up(hello, batch, ret, &sum)) {
		(void)err_set(err, ERR_FORMAT, "a batch names an interface that the hello did not");
		return KEEP_REFUSED;
	}
	rc = ledger_append_batch(sensor, received_ns, hello->stream, head->sequence, message, len,
				 &sum, err);
	return rc < 0 ? KEEP_FAILED : KEEP_TAKEN;
}

enum keep keep_gap(struct ledger_sensor *sensor, const struct wire_hello *hello,
		   uint64_t received_ns, const uint8_t *message, size_t len, struct batch_gap *ret,
		   struct err *err)
{
	struct batch_chain chain;
	int rc = batch_gap_decode(ret, message, len, err);

	if (rc < 0)
		return KEEP_REFUSED;
	ledger_stream_chain(sensor, hello->stream, &chain);
	rc = batch_chain_check_gap(&chain, ret, err);
	if (rc < 0)
		return of_check(rc);
	rc = ledger_append_gap(sensor, received_ns, hello->stream, ret, message, len, err);
	return rc < 0 ? KEEP_FAILED : KEEP_TAKEN;
}
