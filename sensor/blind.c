// SPDX-License-Identifier: Apache-2.0
/*
 * blind: see blind.h.
 */
#include "sensor/blind.h"

#include <stdio.h>
#include <string.h>

void blind_begin(struct blind *b)
{
	b->left_out = 0;
	for (size_t i = 0; i < b->n; i++)
		b->things[i].present = b->things[i].is_new = false;
}

struct blind_thing *blind_found(struct blind *b, uint8_t what, int16_t iface, const char *text)
{
	struct blind_thing *free_one = NULL;

	for (size_t i = 0; i < b->n; i++) {
		struct blind_thing *t = &b->things[i];

		if (t->what == what && t->iface == iface &&
		    strncmp(t->text, text, sizeof t->text - 1) == 0) {
			t->present = true;
			return t;
		}
	}
	if (b->n < BLIND_THINGS_MAX)
		free_one = &b->things[b->n++];
	/* What was not found yet may still be: its place is taken only when there is no other. */
	for (size_t i = 0; !free_one && i < b->n; i++)
		if (!b->things[i].present)
			free_one = &b->things[i];
	if (!free_one) {
		b->left_out++;
		return NULL;
	}
	*free_one =
		(struct blind_thing){.what = what, .iface = iface, .present = true, .is_new = true};
	(void)snprintf(free_one->text, sizeof free_one->text, "%s", text);
	return free_one;
}

void blind_count_begin(struct blind_count *c, uint64_t counted, uint64_t seen)
{
	*c = (struct blind_count){.begun = true,
				  .counted_first = counted,
				  .counted_last = counted,
				  .seen_first = seen};
}

uint64_t blind_compare(struct blind_count *c, uint64_t counted, uint64_t seen)
{
	uint64_t grown = counted - c->counted_first, unseen, more;

	if (counted < c->counted_last) {
		c->begun = false;
		return 0;
	}
	c->counted_last = counted;
	if (grown <= seen - c->seen_first)
		return 0;
	unseen = grown - (seen - c->seen_first);
	if (unseen <= c->unseen || unseen <= BLIND_TOLERANCE + grown / BLIND_TOLERANCE_OF)
		return 0;
	more = unseen - c->unseen;
	c->unseen = unseen;
	return more;
}
