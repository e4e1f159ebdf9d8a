// SPDX-License-Identifier: Apache-2.0
/*
 * Made-up records and the findings that follow, for tests of findings.
 */
#pragma once

#include "evidence/findings.h"
#include "evidence/watch.h"

enum { EGRESS = FLOWREC_UNEXPECTED_EGRESS, INBOUND = FLOWREC_UNEXPECTED_INBOUND };
enum { SRC = FLOWREC_INITIATOR_SRC, DST = FLOWREC_INITIATOR_DST };
enum { ICMP = 1, TCP = 6, UDP = 17, GRE = 47 };

extern struct flowrec_identity eth[2];
extern const uint8_t stream[WIRE_STREAM_ID], other_stream[WIRE_STREAM_ID];
/* With both interfaces, once prepare() ran. */
extern struct wire_hello live, replay;
extern const struct findings_from web;

int prepare(void **state);
struct addr addr_of(const char *text);

/* 10.0.0.5 is this machine, 203.0.113.9 the other: 3 packets of 300 bytes, TCP. */
struct flowrec record(uint8_t verdict, uint8_t initiator, bool out, uint16_t local_port,
		      uint16_t remote_port);
/* This machine to the other. */
struct flowrec call(uint8_t protocol, uint16_t port, uint8_t outcome);

/* Room for 100,000. `watch`: NULL for none. */
struct findings *fresh(const struct watch_list *watch);
/* As of `web`. */
void add(struct findings *f, struct flowrec rec);
const struct finding *const *sorted(struct findings *f, size_t *ret_n);
size_t count(struct findings *f);
/* The only finding of this kind; NULL if there is none. */
const struct finding *of_kind(struct findings *f, enum finding_kind kind);
