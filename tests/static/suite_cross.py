#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_cross.py BUILD_DIR   The static sensors for other processors, under qemu-user: 32-bit ARM, 64-bit ARM, big-endian MIPS.

qemu-user has neither packet sockets nor seccomp: files in, text and batches out. `make test-cross` builds them and runs the unit tests too.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from suite_static import NATIVE, Tap, arrange, budgets, build_dir, built, folder, one_file, suite, tls_versions, versions  # noqa: E402
from pki import Pki  # noqa: E402

EMULATED = {"arm-linux-gnueabihf": "qemu-arm-static", "aarch64-linux-gnu": "qemu-aarch64-static", "mips-linux-gnu": "qemu-mips-static"}


def main():
    tap = Tap()
    with folder() as d:
        keys = Pki(os.path.join(d, "keys"))
        keys.issue("i-ca")
        for triplet, emulator in EMULATED.items():
            with tap.case(f"{triplet}: static-pie, no interpreter, stripped"):
                one_file(built(triplet))
            with tap.case(f"{triplet}: --version"):
                versions(built(triplet), (emulator,))
            if not triplet.startswith("mips"):
                with tap.case(f"{triplet}: the appliance's budgets"):
                    budgets(triplet)
            suite(tap, arrange(d, triplet, built(triplet), build_dir(), (emulator,)), "golden/run_golden", f"the sensor for {triplet}, emulated")
            tls_versions(tap, d, keys, os.path.join(build_dir(), NATIVE, "full"), (emulator, built(triplet)), triplet)
    tap.done()


if __name__ == "__main__":
    main()
