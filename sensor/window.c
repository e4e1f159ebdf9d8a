// SPDX-License-Identifier: Apache-2.0
/*
 * window: see window.h for the rules.
 */
#include "sensor/window.h"

#include "proto/flowrec.h"

void window_init(struct window *w, uint32_t length_s, uint16_t ifaces, bool live, uint64_t now_s,
		 const struct window_sink *sink)
{
	uint16_t offset;

	*w = (struct window){.length_s = length_s, .ifaces = ifaces, .live = live, .sink = *sink};
	if (live) {
		w->started = true;
		w->run_start_s = now_s;
		window_place(w, now_s, &w->current, &offset);
	}
}

void window_place(const struct window *w, uint64_t sec, uint32_t *ret_number, uint16_t *ret_offset)
{
	uint64_t number = sec / w->length_s;

	/* The last number is kept for "all windows are over". */
	if (number >= UINT32_MAX) {
		*ret_number = UINT32_MAX - 1;
		*ret_offset = (uint16_t)(w->length_s - 1);
		return;
	}
	*ret_number = (uint32_t)number;
	*ret_offset = (uint16_t)(sec % w->length_s);
}

static uint64_t begin_of(const struct window *w, uint32_t number)
{
	return (uint64_t)number * w->length_s;
}

enum { BEYOND = 63 }; /* the last bit of `lost` */

static uint64_t bit(uint32_t k)
{
	return UINT64_C(1) << (k < BEYOND ? k : BEYOND);
}

/* What the line of window current + k says; OK: there is none. */
static enum flowrec_status status_of(const struct window *w, uint16_t iface, uint32_t k)
{
	if (w->lost[iface] & bit(k))
		return FLOWREC_SKIPDATA;
	return w->seen[iface] & bit(k) ? FLOWREC_OK : FLOWREC_NODATA;
}

/* Does window current + k + 1 say something else than the one before it, on any interface? */
static bool differs_after(const struct window *w, uint32_t k)
{
	for (uint16_t i = 0; i < w->ifaces && k < BEYOND; i++)
		if (status_of(w, i, k) != status_of(w, i, k + 1))
			return true;
	return false;
}

/* Live: the lines of one window, or of several that say the same, for each interface. Clipped to
 * the run. */
static void mark_windows(struct window *w, uint32_t from, uint32_t to, uint64_t now_s)
{
	uint64_t start = begin_of(w, from), end = begin_of(w, to);

	if (start < w->run_start_s)
		start = w->run_start_s;
	if (end > now_s)
		end = now_s;
	if (end < start)
		end = start;
	for (uint16_t i = 0; i < w->ifaces; i++) {
		enum flowrec_status status = status_of(w, i, from - w->current);

		if (status != FLOWREC_OK)
			w->sink.mark(w->sink.ctx, i, (uint8_t)status, start, end);
	}
}

/* Window `number` becomes the current one. */
static void move_on(struct window *w, uint32_t number)
{
	uint32_t by = number - w->current;

	for (uint16_t i = 0; i < w->ifaces; i++) {
		/* "From there on" ended where the counter was read: in this window or the next. */
		uint64_t rest = w->lost[i] & bit(BEYOND) ? 3 : 0;

		w->seen[i] = by < BEYOND ? w->seen[i] >> by : 0;
		w->lost[i] = (by < BEYOND ? (w->lost[i] & ~bit(BEYOND)) >> by : 0) | rest;
	}
	w->current = number;
}

void window_note(struct window *w, uint32_t number, uint16_t iface)
{
	uint32_t silent;

	if (w->live) {
		/* A stepped clock must not mark windows far away. */
		if (number >= w->current && number - w->current < BEYOND)
			w->seen[iface] |= bit(number - w->current);
		return;
	}
	if (w->started && number <= w->current)
		return;
	silent = w->current + 1;
	if (w->started) {
		w->sink.closed(w->sink.ctx, number);
		for (uint16_t i = 0; number > silent && i < w->ifaces; i++)
			w->sink.mark(w->sink.ctx, i, FLOWREC_NODATA, begin_of(w, silent),
				     begin_of(w, number));
	}
	w->started = true;
	w->current = number;
}

static uint32_t number_at(const struct window *w, uint64_t sec)
{
	uint32_t number;
	uint16_t offset;

	window_place(w, sec, &number, &offset);
	return number;
}

void window_lost(struct window *w, uint16_t iface, uint64_t from_s, uint64_t to_s)
{
	/* The clock may have been set back meanwhile. */
	uint32_t first = number_at(w, from_s < to_s ? from_s : to_s);
	uint32_t last = number_at(w, from_s < to_s ? to_s : from_s);

	if (first < w->current)
		first = w->current;
	do
		w->lost[iface] |= bit(first - w->current);
	while (first++ < last && first - w->current <= BEYOND);
}

static uint32_t open_at(const struct window *w, uint64_t now_s)
{
	return number_at(w, now_s < WINDOW_GRACE_S ? 0 : now_s - WINDOW_GRACE_S);
}

bool window_is_over(const struct window *w, uint64_t now_s)
{
	return open_at(w, now_s) > w->current;
}

void window_tick(struct window *w, uint64_t now_s)
{
	uint32_t number = open_at(w, now_s);
	bool jump;

	if (number <= w->current)
		return;
	jump = number - w->current > WINDOW_JUMP;
	w->sink.closed(w->sink.ctx, number);
	for (uint32_t n = w->current, end; n < number; n = end) {
		end = n + 1;
		while (jump && n > w->current && end < number &&
		       !differs_after(w, end - 1 - w->current))
			end = end - w->current < BEYOND ? end + 1 : number;
		mark_windows(w, n, end, now_s);
	}
	move_on(w, number);
}

void window_end(struct window *w, uint64_t now_s)
{
	if (w->live)
		window_tick(w, now_s);
	w->sink.closed(w->sink.ctx, UINT32_MAX);
	if (!w->live)
		return;
	mark_windows(w, w->current, w->current + 1, now_s);
	/* Within the grace the next window has begun: too short for a line, unless packets are
	 * missing in it. */
	for (uint16_t i = 0; i < w->ifaces && number_at(w, now_s) > w->current; i++)
		if (status_of(w, i, 1) == FLOWREC_SKIPDATA)
			w->sink.mark(w->sink.ctx, i, FLOWREC_SKIPDATA, begin_of(w, w->current + 1),
				     now_s);
}
