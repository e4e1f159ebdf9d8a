// SPDX-License-Identifier: Apache-2.0
/*
 * Logs of the host that were cut, overwritten, or are gone without having been rotated, as the sensor that follows them
 * tells at once. One finding per sensor and file: what was done to it, how often, and how many bytes are gone.
 */
#include <errno.h>
#include <string.h>

#include "evidence/detect.h"
#include "evidence/table.h"
#include "platform/clock.h"

enum { WIPES_MAX = 4096 };

struct wipe {
	char path[WIRE_LOG_PATH_MAX + 1]; /* key, with the next; the rest zero */
	uint64_t owner;
	uint64_t first, last; /* Unix seconds */
	uint64_t times, bytes, how;
	struct finding_evidence evidence;
	uint32_t source;
	bool has_changed;
};
enum { WIPE_KEY = WIRE_LOG_PATH_MAX + 1 + 8 };
_Static_assert(offsetof(struct wipe, first) == WIPE_KEY, "the key ends here");

static int open_log(void **ret, const struct findings_config *config, struct err *err)
{
	struct table *wipes;

	(void)config;
	if (table_new(&wipes, sizeof(struct wipe), WIPE_KEY, WIPES_MAX) < 0)
		return err_set(err, -ENOMEM, "no memory for wiped logs");
	*ret = wipes;
	return 0;
}

static void close_log(void *state)
{
	table_free(state);
}

/* What was done to it; 0: nothing. `lost`: bytes that are not there any more, as far as it is known. */
static enum finding_wiped how_of(const struct batch_event *event, uint64_t *lost)
{
	const int64_t *v = event->values;

	*lost = 0;
	if (event->n_values != BATCH_EVENT_VALUES)
		return 0;
	if (event->kind == BATCH_EVENT_LOG_SHRANK) {
		*lost = v[2] > v[3] && v[3] >= 0 ? (uint64_t)(v[2] - v[3]) : 0;
		return FINDING_WIPED_CUT;
	}
	if (event->kind == BATCH_EVENT_LOG_REWRITTEN)
		return FINDING_WIPED_OVERWRITTEN;
	if (event->kind != BATCH_EVENT_LOG_VANISHED)
		return 0;
	if (v[3] > 0)
		return FINDING_WIPED_MOVED;
	*lost = v[2] > 0 ? (uint64_t)v[2] : 0;
	return FINDING_WIPED_DELETED;
}

static void gather(struct findings *findings, void *state, const struct detect_from *from,
		   const struct wire_hello *hello, const struct batch_event *event)
{
	uint64_t lost, sec = event->time_ns / NS_PER_S;
	enum finding_wiped how = how_of(event, &lost);
	struct wipe fresh, *wipe;
	void *at;

	if (!how || !hello || event->values[0] < 0 || (uint64_t)event->values[0] >= hello->n_logs)
		return;
	memset(&fresh, 0, sizeof fresh);
	memcpy(fresh.path, hello->logs[event->values[0]],
	       strnlen(hello->logs[event->values[0]], sizeof fresh.path - 1));
	fresh.owner = from->owner;
	fresh.first = UINT64_MAX;
	if (table_take(state, &fresh, &at) < 0)
		detect_fail(findings);
	wipe = at;
	if (!wipe)
		return;
	if (sec < wipe->first)
		wipe->first = sec;
	if (sec > wipe->last)
		wipe->last = sec;
	wipe->times++;
	wipe->bytes += lost;
	wipe->how |= how;
	wipe->source = from->source;
	evidence_add(&wipe->evidence, from->stream, from->sequence);
	wipe->has_changed = true;
}

static void settle(struct findings *findings, void *state)
{
	for (size_t i = 0; i < table_count(state); i++) {
		struct wipe *wipe = table_at(state, i);
		struct finding finding = {
			.key = {.owner = (uint32_t)wipe->owner,
				.kind = FINDING_LOG_WIPED,
				.direction = FLOWREC_DIRECTION_UNKNOWN},
			.name = wipe->path,
			.first = wipe->first,
			.last = wipe->last,
			.evidence = wipe->evidence,
			.count = wipe->times,
			.values = {wipe->how, wipe->bytes},
			.source = wipe->source,
			/* One that was moved elsewhere is there still. */
			.severity =
				wipe->how == FINDING_WIPED_MOVED ? FINDING_MEDIUM : FINDING_HIGH,
		};

		if (!wipe->has_changed)
			continue;
		wipe->has_changed = false;
		detect_raise(findings, &finding);
	}
}

static size_t memory(const struct findings_config *config)
{
	(void)config;
	return table_memory(sizeof(struct wipe), WIPES_MAX);
}

static uint64_t left_out(const void *state)
{
	return table_left_out(state);
}

const struct detector detect_log = {
	.name = "log",
	.memory = memory,
	.left_out = left_out,
	.open = open_log,
	.close = close_log,
	.event = gather,
	.settle = settle,
};
