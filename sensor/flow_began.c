// SPDX-License-Identifier: Apache-2.0
/*
 * flow_began: see flow_began.h.
 */
#include "sensor/flow_began.h"

enum {
	TCP = 6,
	ICMPV6 = 58,
	SYN = 2,
	RST = 4,
	SYN_ACK = 18,
};

bool began_is_error(const struct flow_packet *p)
{
	if (!p->has_icmp_type)
		return false;
	if (p->key.protocol == ICMPV6)
		return p->icmp_type < 128;
	switch (p->icmp_type) {
	case 3:  /* unreachable */
	case 4:  /* source quench */
	case 11: /* time exceeded */
	case 12: /* parameter problem */ return true;
	default: return false;
	}
}

bool began_is_request(const struct flow_packet *p)
{
	if (!p->has_icmp_type)
		return false;
	if (p->key.protocol == ICMPV6)
		return p->icmp_type == 128;
	/* echo, timestamp, address mask */
	return p->icmp_type == 8 || p->icmp_type == 13 || p->icmp_type == 17;
}

static bool is_icmp_answer(const struct flow_packet *p)
{
	if (!p->has_icmp_type)
		return false;
	if (p->key.protocol == ICMPV6) /* echo reply, neighbour advertisement */
		return p->icmp_type == 129 || p->icmp_type == 136;
	/* echo reply, timestamp reply, address mask reply */
	return p->icmp_type == 0 || p->icmp_type == 14 || p->icmp_type == 18;
}

/*
 * A SYN says it, a SYN-ACK, RST or ICMP answer says it of the other side. An ICMP error says nothing of its receiver: it is about
 * another flow (RFC 792, RFC 4443), and anybody may send one. Of a TCP connection that was there before us the lower port is taken
 * for the server's; of all else whoever is seen first.
 */
enum flow_initiator began_by(const struct flow_packet *p)
{
	enum flow_initiator sender = p->side ? FLOW_INITIATOR_B : FLOW_INITIATOR_A;
	enum flow_initiator receiver = p->side ? FLOW_INITIATOR_A : FLOW_INITIATOR_B;

	if (p->key.protocol == TCP && p->has_ports) {
		if ((p->tcp_flags & SYN_ACK) == SYN)
			return sender;
		if (p->tcp_flags & (SYN | RST))
			return receiver;
		if (p->key.port_a != p->key.port_b)
			return p->key.port_a < p->key.port_b ? FLOW_INITIATOR_B : FLOW_INITIATOR_A;
	}
	return is_icmp_answer(p) ? receiver : sender;
}

bool began_is_told_once(uint8_t protocol)
{
	return protocol != TCP;
}

void began_keep(struct began_table *t, uint32_t hash, enum flow_initiator initiator, uint32_t sec)
{
	t->of[hash % BEGAN_SLOTS] =
		(struct began){.hash = hash, .sec = sec, .initiator = (uint8_t)initiator};
}

enum flow_initiator began_before(const struct began_table *t, const struct flow_packet *p,
				 uint32_t sec)
{
	const struct began *b = &t->of[p->hash % BEGAN_SLOTS];

	if (began_is_told_once(p->key.protocol) && !began_is_request(p) && b->hash == p->hash &&
	    b->initiator != FLOW_INITIATOR_UNKNOWN && sec - b->sec <= BEGAN_REOPEN_S)
		return (enum flow_initiator)b->initiator;
	return began_by(p);
}
