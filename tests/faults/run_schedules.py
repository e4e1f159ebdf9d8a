#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_schedules.py BUILD_DIR   Schedules of faults in simulated time (schedules.c): kills and power losses, disks that fail, fill up and
lie, links that break and lag, clocks that step, frames twice and out of order. After each the ledgers are held against what was sent.

FLOWPROOF_SEED gives the first seed. FLOWPROOF_SCHEDULES: how many. FLOWPROOF_SECONDS: for how long. With one of these two (make soak) the
first seed is another one each time, else always the same: what `make test` says depends on the tree alone.
"""
import os
import random
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Tap, build_dir, check, equal  # noqa: E402

COUNT = int(os.environ.get("FLOWPROOF_SCHEDULES") or 240)
SECONDS = int(os.environ.get("FLOWPROOF_SECONDS") or 0)
IS_SOAK = os.environ.get("FLOWPROOF_SCHEDULES") or SECONDS
SEED = int(os.environ.get("FLOWPROOF_SEED") or (random.randrange(1 << 30) if IS_SOAK else 239327400))
JOBS = 2


def numbers(line):
    return {name: int(value) for name, value in re.findall(r"([a-z-]+)[ =](\d+)", line)}


def run_all():
    """All lines that tell of a failure, and the sums over all."""
    share = (COUNT + JOBS - 1) // JOBS
    jobs = [subprocess.Popen([os.path.join(build_dir(), "tests", "faults", "schedules"), str(SEED + i * share), str(share), str(SECONDS)],
                             stdout=subprocess.PIPE, text=True, env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
            for i in range(JOBS)]
    sums, said = {}, []
    for job in jobs:
        lines = job.communicate()[0].splitlines()
        said += lines[:-4]
        equal(job.returncode, 1 if lines[:-4] else 0, "exit code")
        for line in lines[-4:]:
            for name, value in numbers(line).items():
                sums[name] = sums.get(name, 0) + value
    return said, sums


def main():
    print(f"# FLOWPROOF_SEED={SEED}", flush=True)
    tap = Tap()
    sums = {}
    with tap.case(f"{COUNT} schedules in simulated time: nothing lost that is not declared, nothing twice, the audit agrees"):
        said, sums = run_all()
        equal(said, [], "schedules that failed")
        check(SECONDS or sums["schedules"] >= COUNT, f"{sums['schedules']} schedules")
        equal(sums["sent"], sums["in-ledger"] + sums["declared-lost"] + sums["behind-an-unclean-end"], "packets sent")
    print("# " + " ".join(f"{name}={value}" for name, value in sums.items()))
    if sums.get("schedules", 0) < 100:
        tap.done()  # soak, for a short time
    with tap.case("each kind of fault happened, and spools were too small"):
        equal([name for name, value in sums.items() if value == 0 and name != "failed"], [], "what never happened")
    tap.done()


if __name__ == "__main__":
    main()
