// SPDX-License-Identifier: Apache-2.0
/*
 * segments: see segments.h. bpf(2); the instructions and struct __sk_buff are those of linux/bpf.h.
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
 */
#include "platform/segments.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SNAP = SEGMENTS_SNAPLEN, SEVERAL = SNAP + 1, TAG_BITS = 2 };

/* Of kernel headers that are older. */
#ifndef SO_ATTACH_BPF
#	define SO_ATTACH_BPF 50
#endif

#define LOAD(to, member)                                                                           \
	{                                                                                          \
		.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = (to), .src_reg = BPF_REG_1,          \
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

int segments_load(void)
{
	enum { KEEP = BPF_REG_0, N = BPF_REG_2, LEN, TAG, SIZE };
	static const struct bpf_insn program[] = {
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
	};
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof attr);
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = sizeof program / sizeof program[0];
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
