# SPDX-License-Identifier: Apache-2.0
"""Small eBPF programs by bpf(2), and XDP on an interface by rtnetlink(7): what an intruder may do, in a namespace of the test's own."""
import ctypes
import os
import socket
import struct

import net

SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
PROG_LOAD = 5
XDP, RAW_TRACEPOINT = 6, 17
RTM_SETLINK, NLM_F_REQUEST, NLM_F_ACK, NLA_F_NESTED = 19, 1, 4, 0x8000
IFLA_XDP, XDP_FD, XDP_FLAGS, SKB_MODE = 43, 1, 3, 2
_libc = ctypes.CDLL(None, use_errno=True)


def load(kind, value, name):
    """A descriptor of a program of the kind that returns `value`; it is gone when nobody has it."""
    code = ctypes.create_string_buffer(struct.pack("<BBhi", 0xb7, 0, 0, value) + struct.pack("<BBhi", 0x95, 0, 0, 0))  # r0 = value; exit
    licence = ctypes.create_string_buffer(b"GPL")
    attr = struct.pack("<IIQQIIQII16s", kind, 2, ctypes.addressof(code), ctypes.addressof(licence), 0, 0, 0, 0, 0, name.encode())
    attr = ctypes.create_string_buffer(attr, 128)
    fd = _libc.syscall(SYS_BPF, PROG_LOAD, attr, 128)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "bpf(BPF_PROG_LOAD)")
    return fd


def _attribute(kind, value):
    return struct.pack("<HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def set_xdp(namespace, device, fd):
    """Attaches a program (fd -1: takes it off), behind the driver (skb mode)."""
    with net.sock(namespace, socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as s:
        with net.inside(namespace):
            index = socket.if_nametoindex(device)
        nested = _attribute(XDP_FD, struct.pack("<i", fd)) + _attribute(XDP_FLAGS, struct.pack("<I", SKB_MODE))
        body = struct.pack("<BxHiII", 0, 0, index, 0, 0) + _attribute(IFLA_XDP | NLA_F_NESTED, nested)
        s.send(struct.pack("<IHHII", 16 + len(body), RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body)
        error = struct.unpack_from("<i", s.recv(4096), 16)[0]
        if error:
            raise OSError(-error, "RTM_SETLINK")


def steal(pid, is_wanted):
    """A copy of the first descriptor of a process that is wanted, as a socket (pidfd_getfd(2))."""
    pidfd = os.pidfd_open(pid)
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            fd = _libc.syscall(438, pidfd, int(name), 0)
            if fd < 0:
                raise OSError(ctypes.get_errno(), "pidfd_getfd")
            try:
                s = socket.socket(fileno=fd)
            except OSError:
                os.close(fd)
                continue
            if is_wanted(s):
                return s
            s.close()
    finally:
        os.close(pidfd)
    raise AssertionError("no such descriptor")
