// SPDX-License-Identifier: Apache-2.0
/*
 * See deliver_slots.h.
 */
#include "collector/deliver_slots.h"

#include <errno.h>
#include <stdlib.h>

#include "evidence/slots.h"

_Static_assert((int)SLOT_S == (int)DELIVERY_SLOT_S, "a slot is a slot");

struct kind {
	struct slots_config config;
	struct slots *slots;
	struct delivery *delivery;
	deliver_object_fn *put;
	void *state;
	void (*close_state)(void *state);
	const struct object *object; /* that is being put */
};

static enum delivery_try try_object(void *what, uint64_t now_ns, struct err *err)
{
	struct kind *k = what;

	return k->put(k->state, k->object, now_ns, err);
}

static int put(void *ctx, const struct object *object, struct err *err)
{
	struct kind *k = ctx;

	(void)err; /* it is tried until it is done */
	k->object = object;
	return delivery_put(k->delivery, try_object, k, object->len, object->records);
}

static bool wants(void *ctx, const struct ledger_entry *entry, uint64_t start_s, uint64_t end_s,
		  uint64_t at_s)
{
	struct kind *k = ctx;

	(void)start_s, (void)end_s;
	return delivery_wants(k->delivery, entry, at_s);
}

static int take_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		      struct batch *batch)
{
	struct delivery *d = ctx;
	struct kind *k = d->state;

	return slots_batch(k->slots, entry, hello, batch);
}

static int take_gap(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		    const struct batch_gap *gap)
{
	struct delivery *d = ctx;
	struct kind *k = d->state;

	return slots_gap(k->slots, entry, hello, gap);
}

static int begin_pass(struct delivery *d, struct err *err)
{
	struct kind *k = d->state;

	if (k->slots) {
		slots_forget(k->slots);
		return 0;
	}
	k->delivery = d;
	slots_flow_log_id(k->config.flow_log, d->store_id);
	return slots_new(&k->slots, &k->config, err);
}

static int end_pass(struct delivery *d, struct err *err)
{
	struct kind *k = d->state;
	int rc = slots_finish(k->slots);

	return rc < 0 ? err_set(err, rc, "%s", slots_error(k->slots)) : rc;
}

static void close_kind(void *state)
{
	struct kind *k = state;

	slots_free(k->slots);
	if (k->close_state)
		k->close_state(k->state);
	free(k);
}

void *deliver_slots_state(const struct delivery *delivery)
{
	return ((const struct kind *)delivery->state)->state;
}

int deliver_slots_open(struct delivery *ret, const struct deliver_options *o,
		       deliver_object_fn *put_object, void *state, void (*close_state)(void *state),
		       struct err *err)
{
	struct kind *k = calloc(1, sizeof *k);

	if (!k) {
		if (close_state)
			close_state(state);
		return err_set(err, -ENOMEM, "no memory for a delivery");
	}
	*k = (struct kind){.put = put_object, .state = state, .close_state = close_state};
	k->config.wants = wants;
	k->config.put = put;
	k->config.ctx = k;
	ret->state = k;
	ret->has_slots = true;
	ret->every_s = o->every_s;
	ret->late_s = o->late_s;
	ret->ops = (struct delivery_ops){.replay = {.batch = take_batch, .gap = take_gap},
					 .begin_pass = begin_pass,
					 .end_pass = end_pass,
					 .close = close_kind};
	return slots_options(&k->config, "deliver-", o->format, o->layout, o->fields, o->prefix,
			     err);
}
