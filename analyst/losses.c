// SPDX-License-Identifier: Apache-2.0
/*
 * losses: see losses.h.
 */
#include "analyst/losses.h"

#include <inttypes.h>
#include <string.h>

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

static struct losses_of *listed(struct losses_list *list, const char *sensor, const uint8_t *stream,
				const char *name, uint16_t iface)
{
	struct losses_of *l;

	for (unsigned i = list->n; i-- > 0;) {
		l = &list->of[i];
		if (l->iface == iface && memcmp(l->stream, stream, WIRE_STREAM_ID) == 0 &&
		    strcmp(l->sensor, sensor) == 0)
			return l;
	}
	list->more = list->n == LOSSES_LISTED;
	if (list->more)
		return NULL;
	l = &list->of[list->n++];
	*l = (struct losses_of){.iface = iface};
	(void)snprintf(l->sensor, sizeof l->sensor, "%s", sensor);
	(void)snprintf(l->name, sizeof l->name, "%s", name);
	memcpy(l->stream, stream, WIRE_STREAM_ID);
	return l;
}

void losses_list_record(struct losses_list *list, const char *sensor, const uint8_t *stream,
			const char *name, const struct flowrec *rec)
{
	struct losses_of *l;

	if (rec->status != FLOWREC_SKIPDATA)
		return;
	l = listed(list, sensor, stream, name, rec->iface);
	if (l)
		losses_add(&l->losses, rec);
}

void losses_list_account(struct losses_list *list, const char *sensor, const uint8_t *stream,
			 const char *name, const struct batch_account *account)
{
	struct losses_of *l;

	if (!account->kernel_dropped && !account->nic_dropped)
		return;
	l = listed(list, sensor, stream, name, account->iface);
	if (!l)
		return;
	l->kernel = account->kernel_dropped;
	l->nic = account->nic_dropped;
}

void losses_list_print(const struct losses_list *list, FILE *out)
{
	for (unsigned i = 0; i < list->n; i++) {
		const struct losses_of *l = &list->of[i];

		fprintf(out,
			"NOT ALL WAS SEEN  %s %s: the kernel dropped %" PRIu64
			" packets, the network card %" PRIu64,
			l->sensor, l->name, l->kernel, l->nic);
		if (l->losses.lines) {
			fputs("; missing from ", out);
			losses_print(&l->losses, out);
		}
		fputc('\n', out);
	}
	if (list->more)
		fputs("NOT ALL WAS SEEN  by further streams\n", out);
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
