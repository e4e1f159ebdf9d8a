// SPDX-License-Identifier: Apache-2.0
/*
 * What batches hold, summed up: for manifests, which are checked against it, and for finding a span
 * of time.
 */
#include "evidence/ledger.h"
#include "platform/clock.h"

const struct ledger_sum ledger_sum_none = {.first_s = 1, .last_s = 0};

/* Widens the span of times. */
static void add_time(struct ledger_sum *sum, uint64_t first_s, uint64_t last_s)
{
	bool none = sum->first_s > sum->last_s;

	if (first_s > last_s)
		return;
	if (none || first_s < sum->first_s)
		sum->first_s = first_s;
	if (none || last_s > sum->last_s)
		sum->last_s = last_s;
}

void ledger_sum_record(struct ledger_sum *sum, const struct flowrec *rec)
{
	sum->records += rec->status == FLOWREC_OK;
	sum->packets += rec->packets;
	add_time(sum, rec->start, rec->end);
}

void ledger_sum_rest(struct ledger_sum *sum, const struct batch *batch)
{
	const struct batch_account *accounts;
	const struct batch_alert *alerts;
	const struct batch_event *events;
	const struct batch_log *logs;
	size_t n;

	alerts = batch_alert_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		add_time(sum, alerts[i].time_ns / NS_PER_S, alerts[i].time_ns / NS_PER_S);
	events = batch_event_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		if (events[i].kind >= BATCH_EVENT_LOG_OPENED &&
		    events[i].kind <= BATCH_EVENT_LOG_UNREADABLE)
			add_time(sum, events[i].time_ns / NS_PER_S, events[i].time_ns / NS_PER_S);
	logs = batch_log_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		add_time(sum, logs[i].time_ns / NS_PER_S, logs[i].time_ns / NS_PER_S);
	accounts = batch_account_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		add_time(sum, accounts[i].window, accounts[i].window);
}

void ledger_sum_gap(struct ledger_sum *sum, const struct batch_gap *gap)
{
	if (gap->records > 0 && !gap->elsewhere)
		add_time(sum, gap->window_first, gap->window_last);
}

void ledger_sum_batch(struct ledger_sum *sum, struct batch *batch)
{
	struct flowrec rec;

	while (batch_next(batch, &rec))
		ledger_sum_record(sum, &rec);
	ledger_sum_rest(sum, batch);
}

void ledger_sum_add(struct ledger_sum *sum, const struct ledger_sum *more)
{
	sum->hellos += more->hellos;
	sum->batches += more->batches;
	sum->records += more->records;
	sum->packets += more->packets;
	add_time(sum, more->first_s, more->last_s);
}
