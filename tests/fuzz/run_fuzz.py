#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_fuzz.py BUILD_DIR   Each fuzz target reads its seeds once, as the build's compiler and sanitizers made it; then captures cut at
every byte.
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden"))
from harness import ROOT, Tap, build_dir, check, equal, folder, match, run, write  # noqa: E402
import make_captures as make  # noqa: E402
import shared  # noqa: E402

FUZZ = os.path.join(ROOT, "tests", "fuzz")


def recut(captures):
    """The file cut, and every frame cut: one process for all of them."""
    result = run(os.path.join(build_dir(), "tests", "fuzz", "recut"), *captures, limit=300).expect(0)
    equal(result.out.splitlines()[:-1], captures, "captures read")
    runs = int(match(r"^runs (\d+)$", result.out)[1])
    check(runs > 200 * len(captures), f"only {runs} runs")


def main():
    tap = Tap()
    with open(os.path.join(FUZZ, "fuzz.mk"), encoding="ascii") as f:
        targets = re.findall(r"^fuzz \+= (\S+)$", f.read(), re.M)
    with tap.case("every target has seeds, and every folder of seeds a target"):
        equal(sorted(targets), sorted(os.listdir(os.path.join(FUZZ, "seeds"))))
        equal(sorted(targets), sorted(n[5:-2] for n in os.listdir(FUZZ) if n.startswith("fuzz_") and n.endswith(".c")))
    for target in targets:
        place = os.path.join(FUZZ, "seeds", target)
        seeds = [os.path.join(place, n) for n in sorted(os.listdir(place))]
        with tap.case(f"{target}: {len(seeds)} seeds"):
            check(seeds, "no seeds")
            result = run(os.path.join(build_dir(), "tests", "fuzz", target), *seeds).expect(0)
            equal(result.out.splitlines(), seeds, "seeds read")
    with folder() as d:
        captures = []
        for c in make.cases():
            for form in c.formats:
                captures.append(write(os.path.join(d, f"{c.name}.{form}"), make.FORMATS[form](c.packets[:100])))
        with tap.case(f"{len(captures)} captures cut at every byte up to 200"):
            recut(captures)
    data = shared.data_folder()
    if not data:
        tap.skip("real captures cut at every byte up to 200", shared.ABSENT)
        tap.done()
    captures = sorted(os.path.join(data, "pcaps", n) for n in os.listdir(os.path.join(data, "pcaps")))
    with tap.case(f"{len(captures)} real captures cut at every byte up to 200"):
        recut(captures)
    tap.done()


if __name__ == "__main__":
    main()
