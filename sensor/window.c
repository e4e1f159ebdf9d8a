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

/* Live: the lines of one window, or of a silence of several, for each interface. Clipped to the
 * run. */
static void mark_windows(struct window *w, uint32_t from, uint32_t to, uint64_t now_s)
{
	uint64_t start = begin_of(w, from), end = begin_of(w, to);
	unsigned slot = from & 1;

	if (start < w->run_start_s)
		start = w->run_start_s;
	if (end > now_s)
		end = now_s;
	if (end < start)
		end = start;
	for (uint16_t i = 0; i < w->ifaces; i++) {
		if (w->lost[slot] >> i & 1)
			w->sink.mark(w->sink.ctx, i, FLOWREC_SKIPDATA, start, end);
		else if (!(w->seen[slot] >> i & 1))
			w->sink.mark(w->sink.ctx, i, FLOWREC_NODATA, start, end);
	}
	w->seen[slot] = 0;
	w->lost[slot] = 0;
}

void window_note(struct window *w, uint32_t number, uint16_t iface)
{
	uint32_t silent;

	if (w->live) {
		/* Stamps of the near past and future only: a stepped clock must not mark windows
		 * far away. */
		if (number == w->current || number == w->current + 1)
			w->seen[number & 1] |= (uint16_t)(1U << iface);
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

void window_lost(struct window *w, uint16_t iface, uint64_t now_s)
{
	uint32_t number;
	uint16_t offset;

	window_place(w, now_s, &number, &offset);
	w->lost[w->current & 1] |= (uint16_t)(1U << iface);
	if (number == w->current + 1)
		w->lost[number & 1] |= (uint16_t)(1U << iface);
}

void window_tick(struct window *w, uint64_t now_s)
{
	uint32_t number;
	uint16_t offset;

	window_place(w, now_s < WINDOW_GRACE_S ? 0 : now_s - WINDOW_GRACE_S, &number, &offset);
	if (number <= w->current)
		return;
	w->sink.closed(w->sink.ctx, number);
	if (number - w->current > WINDOW_JUMP) {
		mark_windows(w, w->current, w->current + 1, now_s);
		mark_windows(w, w->current + 1, number, now_s);
		w->current = number;
		w->seen[0] = w->seen[1] = 0;
		return;
	}
	for (; w->current < number; w->current++)
		mark_windows(w, w->current, w->current + 1, now_s);
}

void window_end(struct window *w, uint64_t now_s)
{
	if (w->live)
		window_tick(w, now_s);
	w->sink.closed(w->sink.ctx, UINT32_MAX);
	if (w->live)
		mark_windows(w, w->current, w->current + 1, now_s);
}
