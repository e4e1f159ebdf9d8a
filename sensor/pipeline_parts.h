// SPDX-License-Identifier: Apache-2.0
/*
 * pipeline, inside: its state, for its two files. pipeline.c wires the stages, pipeline_summary.c tells what became of all.
 */
#pragma once

#include "sensor/account.h"
#include "sensor/alert.h"
#include "sensor/crossing.h"
#include "sensor/decode.h"
#include "sensor/endpoint.h"
#include "sensor/flow.h"
#include "sensor/flow_began.h"
#include "sensor/fragment.h"
#include "sensor/judge.h"
#include "sensor/mirror.h"
#include "sensor/names.h"
#include "sensor/names_out.h"
#include "sensor/offload.h"
#include "sensor/pipeline.h"
#include "sensor/record.h"
#include "sensor/rhythm.h"
#include "sensor/window.h"

enum {
	PENDING = 32, /* packets between their decoding and their update: their sets are on the way
			 from memory */
	TCP = 6,
	UDP = 17,
	SWEEP_PER_TURN = BATCH_WRITE_RECORDS, /* entries of a closed window looked at in one turn of
						 the loop */
	/* Frames taken from one ring at once, and how often. */
	DRAIN_FRAMES = 4096,
	DRAIN_TURNS = 64,
	LOOK_PER_TURN = 4096, /* endpoints looked at in one turn */
	TEXT_BLOCK =
		4096, /* lines are written when there are so many bytes of them: a call of stdio for each costs too much */
	BEAT_PER_TURN = 256, /* those whose rhythm is */
};

struct pipeline {
	struct pipeline_config config;
	bool live;
	uint32_t window_s;
	struct judge judge; /* the lists of its context lie in identity and options */
	struct flow_table *flows;
	struct endpoint_table *endpoints;
	struct rhythm *rhythm; /* NULL: nobody is told */
	struct offload *offload;
	uint32_t mtu[WIRE_INTERFACES_MAX]; /* 0: unknown */
	const struct mirror *mirror;       /* NULL: not in mirror mode */
	struct fragment_table *fragments;  /* NULL: later fragments keep ports 0 */
	struct names *names;
	struct names_gate gate; /* its */
	struct names_out names_out;
	struct window window;
	struct account account;
	struct {
		uint64_t sec;
		uint32_t window;
		uint16_t offset;
	} second; /* of the last packet, and its place: a division saved */
	struct flow_packet pending[PENDING];
	size_t n_pending, pending_done; /* of them, how many the table has */
	uint64_t seen_s;                /* Unix seconds of a packet that came lately */
	uint64_t losses_read_s;         /* when the counters of losses were read last */
	uint64_t now_ns;                /* of the call from outside that runs now */
	bool turn_by_turn;              /* windows are swept a bounded part at a time */
	/* flows of closed windows, then endpoints, then their rhythm */
	bool sweeping, telling, beating;
	bool printing, headed; /* endpoints as text; their header line is out */
	bool ended;
	bool output_failed;
	uint64_t records, n_opened;                          /* flows */
	const struct endpoint *follow_local, *follow_remote; /* NULL: nothing is followed */
	struct flow_count followed[2];                       /* summed from the records */
	size_t n_text;                                       /* bytes of lines not written yet */
	char text[TEXT_BLOCK + FLOWREC_LINE_MAX];
};

/* The packet equation of an interface as it stands; window: Unix seconds of the one that just closed. */
void pipeline_fill_account(const struct pipeline *p, uint16_t iface, uint64_t window,
			   struct batch_account *ret);
/* How full the tables are: enum batch_table. */
void pipeline_tables(const struct pipeline *p, uint64_t ret[static BATCH_TABLES]);
