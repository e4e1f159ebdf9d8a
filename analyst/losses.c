// SPDX-License-Identifier: Apache-2.0
/*
 * losses: see losses.h.
 */
#include "analyst/losses.h"

#include <inttypes.h>

#include "platform/clock.h"
#include "platform/nic.h"

void losses_add(struct losses *l, const struct flowrec *rec)
{
	if (rec->status != FLOWREC_SKIPDATA)
		return;
	l->lines++;
	/* Windows that follow one another are one span. Further ones than fit stretch the last: that says
	 * too much, never too little. */
	if (l->n > 0 && (rec->start == l->spans[l->n - 1].to || l->n == LOSSES_SPANS)) {
		if (rec->end > l->spans[l->n - 1].to)
			l->spans[l->n - 1].to = rec->end;
		return;
	}
	l->spans[l->n].from = rec->start;
	l->spans[l->n++].to = rec->end;
}

void losses_print(const struct losses *l, FILE *out)
{
	char from[CLOCK_TEXT], to[CLOCK_TEXT];

	for (unsigned i = 0; i < l->n; i++)
		fprintf(out, "%s%s to %s", i ? ", " : "", clock_text(from, l->spans[i].from),
			clock_text(to, l->spans[i].to));
}

void losses_print_json(const struct losses *l, FILE *out)
{
	fputc('[', out);
	for (unsigned i = 0; i < l->n; i++)
		fprintf(out, "%s[%" PRIu64 ",%" PRIu64 "]", i ? "," : "", l->spans[i].from,
			l->spans[i].to);
	fputc(']', out);
}

const char *losses_offload_word(const struct wire_link *link)
{
	switch (link->offload) {
	case WIRE_OFFLOAD_AS_IS: return "as-is";
	case WIRE_OFFLOAD_ESTIMATE: return "estimate";
	case WIRE_OFFLOAD_KERNEL: return "kernel";
	default: return "unknown";
	}
}

void losses_print_link(const struct wire_link *link, FILE *out)
{
	char text[NIC_OFFLOAD_TEXT];

	fputs(link->features_known ? nic_offload_text(text, link->features) : "unknown", out);
	if (link->mtu)
		fprintf(out, ", MTU %u", link->mtu);
	fputs(link->offload == WIRE_OFFLOAD_KERNEL     ? "; wire packets as the kernel says"
	      : link->offload == WIRE_OFFLOAD_ESTIMATE ? "; wire packets estimated"
						       : "; frames as they are",
	      out);
}
