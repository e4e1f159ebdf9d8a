#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""old_kernel.py PROGRAM [ARGUMENT...]   Runs it as on Linux 3.10 (x86-64): each system call that came later answers ENOSYS.

On x86-64 calls got ascending numbers: finit_module, 313, came with 3.8 and was the last for 3.10 too; sched_setattr, 314, came with
3.14, getrandom is 318. So one comparison is the whole list. seccomp(2) itself is among them.
"""
import ctypes
import errno
import os
import struct
import sys

LAST_OF_3_10 = 313
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38
LOAD, GREATER, RETURN = 0x20, 0x25, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JGT|BPF_K, BPF_RET|BPF_K
ALLOW, ERRNO = 0x7fff0000, 0x00050000


def enter():
    code = b"".join(struct.pack("<HBBI", *i) for i in (
        (LOAD, 0, 0, 0),  # seccomp_data.nr
        (GREATER, 0, 1, LAST_OF_3_10),
        (RETURN, 0, 0, ERRNO | errno.ENOSYS),
        (RETURN, 0, 0, ALLOW)))
    held = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(code) // 8, ctypes.addressof(held)), 16)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0):
        sys.exit(f"old_kernel.py: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    if os.uname().machine != "x86_64":
        sys.exit("old_kernel.py: x86-64 only")
    enter()
    os.execv(sys.argv[1], sys.argv[1:])
