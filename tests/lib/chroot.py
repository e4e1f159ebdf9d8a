# SPDX-License-Identifier: Apache-2.0
"""Roots to install into: this machine's own, seen through an overlay that is thrown away. Mounts are those of this process alone."""
import contextlib
import ctypes
import os
import subprocess
import sys
import tempfile

CLONE_NEWNS, MS_REC, MS_PRIVATE, MS_BIND = 0x20000, 0x4000, 0x40000, 0x1000
_libc = ctypes.CDLL(None, use_errno=True)


def _must(what, result):
    if result != 0:
        sys.exit(f"{what}: {os.strerror(ctypes.get_errno())} (root is needed)")


def mount(source, target, kind, flags=0, data=None):
    _must(f"mount {target}", _libc.mount(source.encode(), target.encode(), kind.encode() if kind else None, flags, data.encode() if data else None))


def private_mounts():
    """Once, at the start of a suite: before threads."""
    _must("unshare", _libc.unshare(CLONE_NEWNS))
    mount("none", "/", None, MS_REC | MS_PRIVATE)


@contextlib.contextmanager
def tmpfs(size="512M"):
    """A folder on a file system of its own."""
    with tempfile.TemporaryDirectory(prefix="flowproof-test-") as d:
        mount("tmpfs", d, "tmpfs", 0, f"size={size},mode=0755")
        try:
            yield d
        finally:
            _must(f"umount {d}", _libc.umount2(d.encode(), 2))  # MNT_DETACH


@contextlib.contextmanager
def overlay():
    """A root like this machine's, whose changes lie in memory. `chroot` is what a command is to be begun with."""
    with tmpfs() as d:
        for name in ("upper", "work", "root"):
            os.mkdir(os.path.join(d, name))
        root = os.path.join(d, "root")
        mount("overlay", root, "overlay", 0, f"lowerdir=/,upperdir={d}/upper,workdir={d}/work")
        try:
            mount("proc", root + "/proc", "proc")
            mount("/dev", root + "/dev", None, MS_BIND)
            mount("tmpfs", root + "/tmp", "tmpfs")
            yield root
        finally:
            _must(f"umount {root}", _libc.umount2(root.encode(), 2))


def output(*argv):
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if p.returncode:
        raise AssertionError(f"{' '.join(argv)}: exit {p.returncode}\n{p.stdout[-3000:]}")
    return p.stdout
