#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_fuzz.py BUILD_DIR   Each fuzz target reads its seeds once, as the build's compiler and sanitizers made it."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import ROOT, Tap, build_dir, check, equal, run  # noqa: E402

FUZZ = os.path.join(ROOT, "tests", "fuzz")


def main():
    tap = Tap()
    with open(os.path.join(FUZZ, "fuzz.mk"), encoding="ascii") as f:
        targets = re.findall(r"^fuzz \+= (\S+)$", f.read(), re.M)
    with tap.case("every target has seeds, and every folder of seeds a target"):
        equal(sorted(targets), sorted(os.listdir(os.path.join(FUZZ, "seeds"))))
        equal(sorted(targets), sorted(n[5:-2] for n in os.listdir(FUZZ) if n.startswith("fuzz_") and n.endswith(".c")))
    for target in targets:
        folder = os.path.join(FUZZ, "seeds", target)
        seeds = [os.path.join(folder, n) for n in sorted(os.listdir(folder))]
        with tap.case(f"{target}: {len(seeds)} seeds"):
            check(seeds, "no seeds")
            result = run(os.path.join(build_dir(), "tests", "fuzz", target), *seeds).expect(0)
            equal(result.out.splitlines(), seeds, "seeds read")
    tap.done()


if __name__ == "__main__":
    main()
