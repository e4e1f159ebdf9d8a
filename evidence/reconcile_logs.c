// SPDX-License-Identifier: Apache-2.0
/*
 * Several flow logs over one interface: whose lines of a flow are compared. Adding them up would double everything, and any of them may
 * lack a file, begin later, or have windows that reach over an edge. So each is tried, and the one is taken that leaves no doubt.
 */
#include <stdlib.h>

#include "evidence/reconcile_parts.h"

/* A flow log with more lines of this kind tells of that time. */
static bool is_told_elsewhere(const struct interface *iface, const struct row *row)
{
	bool is_reject = row->flags & ROW_REJECT;
	int64_t middle = ((int64_t)row->start + row->end) / 2;

	for (size_t i = 0; i < iface->n_uses; i++) {
		const struct log_use *use = &iface->uses[i];

		if (use->is_reject != is_reject)
			continue;
		if (use->log == row->log)
			return false;
		if (middle >= use->from && middle <= use->to)
			return true;
	}
	return false;
}

/* A flow log's lines, first among all; how many. */
static size_t bring_first(struct row **witness, size_t n, uint16_t log)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		if (witness[i]->log == log)
			match_swap(&witness[out++], &witness[i]);
	}
	return out;
}

/* Of each time and kind of line the log that tells most; where that one has nothing of this flow, what the next one has. */
static size_t bring_most(const struct reconcile *rec, struct row **witness, size_t n)
{
	const struct interface *iface = &rec->ifaces[witness[0]->iface];
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		if (!is_told_elsewhere(iface, witness[i]))
			match_swap(&witness[out++], &witness[i]);
	}
	return out > 0 ? out : bring_first(witness, n, witness[0]->log);
}

bool logs_have_other(const struct reconcile *rec, const struct row *row)
{
	const struct reconcile_clock *c = &rec->result.clock;
	int64_t from = (int64_t)row->start + c->applied, to = (int64_t)row->end + c->applied;

	for (size_t i = 0; i < rec->n_others; i++) {
		const struct row *other = rec->others[i];

		if (other->flags & ROW_TIMED && other->start <= to + c->late &&
		    (int64_t)other->end + c->early >= from)
			return true;
	}
	return false;
}

/* A choice of lines, and what comes of it. */
struct trial {
	int log; /* -1: bring_most() */
	struct sum sum;
	uint64_t weights[RECONCILE_WEIGHTS];
};

static size_t bring(struct reconcile *rec, struct row **witness, size_t n, int log)
{
	size_t out = log < 0 ? bring_most(rec, witness, n) : bring_first(witness, n, (uint16_t)log);

	qsort(witness, out, sizeof witness[0], match_by_start);
	rec->others = witness + out;
	rec->n_others = n - out;
	return out;
}

static bool is_clear(const struct trial *trial)
{
	return trial->weights[RECONCILE_FINE] > 0 && !trial->weights[RECONCILE_ASIDE] &&
	       !trial->weights[RECONCILE_UNCLEAR] && !trial->weights[RECONCILE_UNEXPLAINED] &&
	       !trial->weights[RECONCILE_RED];
}

/* Where two say the same in all of a flow that the machine has, the one that is nearer to it; else the one that has something
 * hidden, since a file of the other may be missing, and then the one that leaves less open. */
static bool is_clearer(const struct trial *a, const struct trial *b, bool has_host)
{
	static const uint8_t order[] = {RECONCILE_RED, RECONCILE_UNEXPLAINED, RECONCILE_UNCLEAR,
					RECONCILE_ASIDE};
	bool is_same = has_host && match_equal(a->sum, b->sum);

	for (size_t i = 0; i < sizeof order; i++) {
		uint64_t x = a->weights[order[i]], y = b->weights[order[i]];

		if (x != y)
			return order[i] == RECONCILE_RED && !is_same ? x > y : x < y;
	}
	return false;
}

int logs_choose(struct reconcile *rec, struct row **host, size_t n_host, struct row **witness,
		size_t n, bool is_timed, size_t *ret, struct err *err)
{
	const struct interface *iface = &rec->ifaces[witness[0]->iface];
	struct trial best = {.log = -1};
	int rc = 0;

	for (int i = -1; rc == 0 && i < (int)iface->n_uses; i++) {
		struct trial trial = {.log = i < 0 ? -1 : iface->uses[i].log};
		size_t out = bring(rec, witness, n, trial.log);

		if (out == 0)
			continue;
		trial.sum = match_sum(witness, out, 0, 0);
		rec->trial = trial.weights;
		rc = match_lines(rec, host, n_host, witness, out, is_timed, err);
		rec->trial = NULL;
		if (i < 0 || is_clearer(&trial, &best, n_host > 0))
			best = trial;
		/* Of what this machine does not have at all another log may tell what this one left out. */
		if (i < 0 && n_host > 0 && is_clear(&best))
			break;
	}
	*ret = bring(rec, witness, n, best.log);
	return rc;
}
