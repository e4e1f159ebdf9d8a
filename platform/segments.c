// SPDX-License-Identifier: Apache-2.0
/*
 * segments: see segments.h. bpf(2), bpf-helpers(7); the instructions and struct __sk_buff are those of linux/bpf.h.
 *
 * Bytes kept of a frame of `len` bytes that stands for n packets (SNAP is 256):
 *
 *   not merged         SNAP                a shorter one is kept whole
 *   len > SNAP + n     SNAP + n
 *   len < SNAP + n     len - n             n bytes are cut off: each packet has one byte of payload at least
 *   else               SNAP + 1            several, but not known how many; also when the kernel itself has not
 *                                          counted them (from a virtual network card)
 *
 * libpcap puts a VLAN tag back that the kernel took out, 4 bytes more that were kept and are counted in `len`.
 * A frame that is kept whole bears no number.
 *
 * Frames of SNAP to WHOLE_MAX bytes that may bear a name are kept whole: to or from a port of DNS, mDNS or LLMNR; TCP whose
 * payload begins as a TLS handshake or with the first two letters of an HTTP method. It costs frames up to SNAP
 * one comparison, all others two calls.
 */
#include "platform/segments.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/config.h"

enum { SNAP = SEGMENTS_SNAPLEN, SEVERAL = SNAP + 1, TAG_BITS = 2, WHOLE_MAX = SEGMENTS_WHOLE_MAX };

/* Of the program's stack, from its end down; and where in headers. */
enum {
	HEAD = -40, /* an IPv6 header's bytes, then a transport header's */
	HEAD_BYTES = 40,
	TRANSPORT_BYTES = 20,
	START = -48, /* the first two bytes of payload */
	IP4_PROTOCOL = HEAD + 9,
	IP6_NEXT = HEAD + 6,
	TCP_OFFSET = HEAD + 12,
	ETHERNET = 14,
	TCP = 6,
	UDP = 17,
};

/* Of kernel headers that are older. */
#ifndef SO_ATTACH_BPF
#	define SO_ATTACH_BPF 50
#endif

#define LOAD(to, member)                                                                           \
	{                                                                                          \
		.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = (to), .src_reg = CTX,                \
		.off = offsetof(struct __sk_buff, member)                                          \
	}
#define VALUE(op, to, value)                                                                       \
	{                                                                                          \
		.code = BPF_ALU64 | (op) | BPF_K, .dst_reg = (to), .imm = (value)                  \
	}
#define REGISTER(op, to, from)                                                                     \
	{                                                                                          \
		.code = BPF_ALU64 | (op) | BPF_X, .dst_reg = (to), .src_reg = (from)               \
	}
/* A comparison with a register or a value; true skips `skip` instructions. */
#define IF(op, to, from, skip)                                                                     \
	{                                                                                          \
		.code = BPF_JMP | (op) | BPF_X, .dst_reg = (to), .src_reg = (from), .off = (skip)  \
	}
#define IF_VALUE(op, to, value, skip)                                                              \
	{                                                                                          \
		.code = BPF_JMP | (op) | BPF_K, .dst_reg = (to), .imm = (value), .off = (skip)     \
	}

#define GO(skip)                                                                                   \
	{                                                                                          \
		.code = BPF_JMP | BPF_JA, .off = (skip)                                            \
	}

/* From the stack. */
#define STACK(size, to, at)                                                                        \
	{                                                                                          \
		.code = BPF_LDX | BPF_MEM | (size), .dst_reg = (to), .src_reg = BPF_REG_10,        \
		.off = (at)                                                                        \
	}
#define NETWORK_ORDER(to)                                                                          \
	{                                                                                          \
		.code = BPF_ALU | BPF_END | BPF_TO_BE, .dst_reg = (to), .imm = 16                  \
	}
#define CALL(helper)                                                                               \
	{                                                                                          \
		.code = BPF_JMP | BPF_CALL, .imm = (helper)                                        \
	}
/* `n` bytes from register AT on, counted from the IP header, to the stack; R0 is 0 if they are there. 7 instructions. */
#define FETCH(at, n)                                                                               \
	REGISTER(BPF_MOV, BPF_REG_1, CTX), REGISTER(BPF_MOV, BPF_REG_2, AT),                       \
		REGISTER(BPF_MOV, BPF_REG_3, BPF_REG_10), VALUE(BPF_ADD, BPF_REG_3, at),           \
		VALUE(BPF_MOV, BPF_REG_4, n), VALUE(BPF_MOV, BPF_REG_5, BPF_HDR_START_NET),        \
		CALL(BPF_FUNC_skb_load_bytes_relative)

/* Jumps to the two blocks at the program's end, put right when it is loaded. */
enum { TO_USUAL = 0x7001, TO_WHOLE = 0x7002, USUAL_LENGTH = 19, WHOLE_LENGTH = 2 };

static void set_jumps(struct bpf_insn *program, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (program[i].off == TO_WHOLE)
			program[i].off = (int16_t)(n - WHOLE_LENGTH - i - 1);
		else if (program[i].off == TO_USUAL)
			program[i].off = (int16_t)(n - WHOLE_LENGTH - USUAL_LENGTH - i - 1);
	}
}

int segments_load(void)
{
	enum { KEEP = BPF_REG_0, N = BPF_REG_2, LEN, TAG, SIZE };
	enum { CTX = BPF_REG_6, ALL, PROTOCOL, AT, FIRST = BPF_REG_0, SECOND };
	struct bpf_insn program[] = {
		REGISTER(BPF_MOV, CTX, BPF_REG_1),
		LOAD(ALL, len),
		IF_VALUE(BPF_JGT, ALL, WHOLE_MAX, TO_USUAL),
		IF_VALUE(BPF_JGT, ALL, SNAP, 1),
		GO(TO_USUAL),
		VALUE(BPF_MOV, AT, 0),
		FETCH(HEAD, HEAD_BYTES),
		IF_VALUE(BPF_JNE, BPF_REG_0, 0, TO_USUAL),
		STACK(BPF_B, AT, HEAD), /* version and, of IPv4, the header's length in words */
		REGISTER(BPF_MOV, SECOND, AT),
		VALUE(BPF_RSH, SECOND, 4),
		IF_VALUE(BPF_JEQ, SECOND, 4, 4),
		IF_VALUE(BPF_JNE, SECOND, 6, TO_USUAL),
		STACK(BPF_B, PROTOCOL, IP6_NEXT),
		VALUE(BPF_MOV, AT, HEAD_BYTES),
		GO(3),
		STACK(BPF_B, PROTOCOL, IP4_PROTOCOL),
		VALUE(BPF_AND, AT, 15),
		VALUE(BPF_LSH, AT, 2),
		FETCH(HEAD, TRANSPORT_BYTES),
		IF_VALUE(BPF_JNE, BPF_REG_0, 0, TO_USUAL),
		IF_VALUE(BPF_JEQ, PROTOCOL, TCP, 1),
		IF_VALUE(BPF_JNE, PROTOCOL, UDP, TO_USUAL),
		STACK(BPF_H, FIRST, HEAD), /* ports */
		STACK(BPF_H, SECOND, HEAD + 2),
		NETWORK_ORDER(FIRST),
		NETWORK_ORDER(SECOND),
		IF_VALUE(BPF_JEQ, FIRST, 53, TO_WHOLE),
		IF_VALUE(BPF_JEQ, SECOND, 53, TO_WHOLE),
		IF_VALUE(BPF_JEQ, FIRST, 5353, TO_WHOLE),
		IF_VALUE(BPF_JEQ, SECOND, 5353, TO_WHOLE),
		IF_VALUE(BPF_JEQ, FIRST, 5355, TO_WHOLE),
		IF_VALUE(BPF_JEQ, SECOND, 5355, TO_WHOLE),
		IF_VALUE(BPF_JNE, PROTOCOL, TCP, TO_USUAL),
		STACK(BPF_B, FIRST, TCP_OFFSET),
		VALUE(BPF_RSH, FIRST, 4),
		VALUE(BPF_LSH, FIRST, 2),
		REGISTER(BPF_ADD, AT, FIRST),
		FETCH(START, 2),
		IF_VALUE(BPF_JEQ, BPF_REG_0, 0, 8),
		/* What this machine sends by TCP lies in pages of its own, which only this call looks into, from the frame's begin on. */
		REGISTER(BPF_MOV, BPF_REG_1, CTX),
		REGISTER(BPF_MOV, BPF_REG_2, AT),
		VALUE(BPF_ADD, BPF_REG_2, ETHERNET),
		REGISTER(BPF_MOV, BPF_REG_3, BPF_REG_10),
		VALUE(BPF_ADD, BPF_REG_3, START),
		VALUE(BPF_MOV, BPF_REG_4, 2),
		CALL(BPF_FUNC_skb_load_bytes),
		IF_VALUE(BPF_JNE, BPF_REG_0, 0, TO_USUAL),
		STACK(BPF_H, FIRST, START),
		NETWORK_ORDER(FIRST),
		IF_VALUE(BPF_JEQ, FIRST, 0x1603, TO_WHOLE), /* handshake, version 3.x */
		IF_VALUE(BPF_JEQ, FIRST, 'G' << 8 | 'E', TO_WHOLE),
		IF_VALUE(BPF_JEQ, FIRST, 'P' << 8 | 'U', TO_WHOLE),
		IF_VALUE(BPF_JEQ, FIRST, 'P' << 8 | 'O', TO_WHOLE),
		IF_VALUE(BPF_JEQ, FIRST, 'H' << 8 | 'E', TO_WHOLE),
		IF_VALUE(BPF_JEQ, FIRST, 'D' << 8 | 'E', TO_WHOLE),
		IF_VALUE(BPF_JEQ, FIRST, 'O' << 8 | 'P', TO_WHOLE),
		IF_VALUE(BPF_JEQ, FIRST, 'C' << 8 | 'O', TO_WHOLE),
		IF_VALUE(BPF_JEQ, FIRST, 'P' << 8 | 'A', TO_WHOLE),
		IF_VALUE(BPF_JEQ, FIRST, 'T' << 8 | 'R', TO_WHOLE),
		/* usual */
		LOAD(N, gso_segs),
		LOAD(LEN, len),
		LOAD(TAG, vlan_present),
		LOAD(SIZE, gso_size),
		VALUE(BPF_LSH, TAG, TAG_BITS),
		REGISTER(BPF_ADD, LEN, TAG),
		VALUE(BPF_MOV, KEEP, SNAP),
		IF_VALUE(BPF_JGT, N, 1, 2),
		IF_VALUE(BPF_JNE, SIZE, 0, 7), /* several */
		GO(7),                         /* as it is */
		REGISTER(BPF_ADD, KEEP, N),
		IF(BPF_JGT, LEN, KEEP, 5), /* SNAP + n */
		IF(BPF_JEQ, LEN, KEEP, 3), /* several */
		REGISTER(BPF_MOV, KEEP, LEN),
		REGISTER(BPF_SUB, KEEP, N),
		GO(1),
		VALUE(BPF_MOV, KEEP, SEVERAL),
		REGISTER(BPF_SUB, KEEP, TAG),
		{.code = BPF_JMP | BPF_EXIT},
		/* whole */
		VALUE(BPF_MOV, KEEP, INT32_MAX),
		{.code = BPF_JMP | BPF_EXIT},
	};
	const size_t n = sizeof program / sizeof program[0];
	union bpf_attr attr;
	size_t begin = 0;
	int fd;

	set_jumps(program, n);
	/* Where nobody reads names no frame is kept for them. */
	if (!IS_ENABLED(CONFIG_NAMES)) {
		begin = n - WHOLE_LENGTH - USUAL_LENGTH - 1;
		program[begin] = program[0];
	}
	memset(&attr, 0, sizeof attr);
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (uintptr_t)(program + begin);
	attr.insn_cnt = (uint32_t)(n - begin);
	attr.license = (uintptr_t) "Apache-2.0";
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
	return fd < 0 ? -errno : fd;
}

int segments_attach(int socket, int program)
{
	return setsockopt(socket, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof program) == 0
		       ? 0
		       : -errno;
}

uint32_t segments_of(uint32_t captured, uint32_t wire)
{
	if (captured >= wire)
		return captured <= SNAP; /* longer: it came before the filter was there */
	if (captured == SNAP)
		return 1;
	if (captured == SEVERAL)
		return 0;
	return captured > SNAP ? captured - SNAP : wire - captured;
}
