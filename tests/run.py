#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run.py BUILD_DIR [--only PATTERN] [--suite FILE ...] [--emulator QEMU] [--except NAME=WHY ...]   Runs all suites; exit 0 only when nothing failed.

A suite is a program that prints TAP: the unit tests of BUILD_DIR/tests/unit and the run_*.py below tests/. Each runs in a
session of its own with a time limit, two at once and one of those that do nothing but wait; they are told in their order. A suite that crashes, runs out of time or
whose plan does not add up has failed. A skip fails the run unless its reason begins with one of ALLOWED_SKIPS. PATTERN is a part of the suite's name. --suite runs these files
instead of those it finds; --emulator is put before each unit test, and --except names suites that cannot run there, each with its reason, which is printed.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import signal
import subprocess
import sys
import time

TESTS = os.path.dirname(os.path.abspath(__file__))
PATH = ("platform", "proto", "policy", "sensor", "evidence", "collector", "analyst")  # the folders of unit tests, as packets go
ORDER = ("golden", "cli", "netns")  # what the program does, how it is told to, how it holds together
UNIT_LIMIT_S = 120
EMULATED_LIMIT_S = 900
SUITE_LIMIT_S = 400
LONG_LIMIT_S = 1500  # --suite
AT_ONCE = 2  # suites
# They wait for clocks, not for a processor (less than a tenth of their time): one after the other, beside the rest.
WAITING = ("faults/run_uplink", "netns/run_losses", "tail/run_tail", "netns/run_identity", "netns/run_blind")
ALLOWED_SKIPS = ("shared captures absent",)


class Suite:
    def __init__(self, name, argv, limit):
        self.name, self.argv, self.limit = name, argv, limit
        self.passed, self.failures, self.skips, self.faults = 0, [], [], []

    def run(self):
        env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", LC_ALL="C.UTF-8", TZ="UTC")
        begin = time.monotonic()
        p = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env=env, start_new_session=True)
        try:
            output, _ = p.communicate(timeout=self.limit)
        except subprocess.TimeoutExpired:
            # SIGTERM first: a suite with namespaces takes them down; whatever is left of its group goes then.
            for sig, grace in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
                kill_group(p.pid, sig)
                try:
                    output, _ = p.communicate(timeout=grace)
                    break
                except subprocess.TimeoutExpired:
                    output = b""
            self.faults.append(f"ended after its limit of {self.limit} s")
        kill_group(p.pid, signal.SIGKILL)
        self.seconds = time.monotonic() - begin
        self.read(output.decode("utf-8", "backslashreplace"))
        if p.returncode < 0:
            self.faults.append(f"ended by signal {-p.returncode}")
        elif p.returncode > 0 and not self.failures:
            self.faults.append(f"exit code {p.returncode} without a failed test")
        if self.faults:
            self.faults += ["last lines:"] + ["  " + line for line in output.decode("utf-8", "replace").splitlines()[-25:]]

    def read(self, text):
        planned, seen, last, detail = 0, 0, 0, None
        before = []  # cmocka prints what went wrong before the line "not ok"
        for line in text.splitlines():
            if m := re.fullmatch(r"1\.\.(\d+).*", line):
                planned += int(m[1])
                continue
            if m := re.fullmatch(r"(not ok|ok) (\d+)(?: - )?(.*)", line):
                seen += 1
                if int(m[2]) not in (last + 1, 1):
                    self.faults.append(f"test {m[2]} came after test {last}")
                last = int(m[2])
                skip = re.search(r"# SKIP\s*(.*)", m[3])
                if skip:
                    self.skips.append((m[3][:skip.start()].strip(), skip[1]))
                    detail = None
                elif m[1] == "ok":
                    self.passed += 1
                    detail = None
                else:
                    detail = [m[3], *before]
                    self.failures.append(detail)
                before = []
            elif detail is not None and line.startswith("#"):
                detail.append(line.lstrip("# "))
            else:
                before.append(line)
        if seen == 0:
            self.faults.append("ran no test")
        elif planned != seen:
            self.faults.append(f"planned {planned} tests, ran {seen}")

    def allowed(self, reason):
        return any(reason.startswith(a) for a in ALLOWED_SKIPS)

    def report(self):
        bad_skips = [s for s in self.skips if not self.allowed(s[1])]
        bad = bool(self.failures or self.faults or bad_skips)
        tests = self.passed + len(self.failures) + len(self.skips)
        print(f"  {'FAILED' if bad else 'ok':7}{self.name:34} {tests:4} tests {self.seconds:6.1f} s", flush=True)
        for name, reason in self.skips:
            print(f"      skipped: {name}: {reason or 'without a reason'}"
                  + ("" if self.allowed(reason) else " (not an allowed reason)"))
        for name, *why in self.failures:
            print(f"      not ok: {name}")
            for line in why[:60]:
                print(f"        {line}")
        for fault in self.faults:
            print(f"      {fault}")
        sys.stdout.flush()
        return self.passed, len(self.failures) + (1 if self.faults else 0), len(self.skips), len(bad_skips)


def kill_group(pid, sig):
    try:
        os.killpg(pid, sig)
    except (ProcessLookupError, PermissionError):
        pass


def place(order, name):
    return order.index(name) if name in order else len(order)


def suites(build, emulator):
    unit = os.path.join(build, "tests", "unit")
    for path in sorted(glob.glob(os.path.join(unit, "**", "test_*"), recursive=True),
                       key=lambda p: (place(PATH, os.path.relpath(p, unit).split(os.sep)[0]), p)):
        if os.access(path, os.X_OK) and os.path.isfile(path) and "." not in os.path.basename(path):
            yield Suite("unit/" + os.path.relpath(path, unit), [*emulator, path], EMULATED_LIMIT_S if emulator else UNIT_LIMIT_S)
    folders = {os.path.basename(os.path.dirname(p)) for p in glob.glob(os.path.join(TESTS, "*", "run_*.py"))}
    for f in sorted(folders, key=lambda f: (place(ORDER, f), f)):
        for path in sorted(glob.glob(os.path.join(TESTS, f, "run_*.py"))):
            yield Suite(os.path.relpath(path, TESTS)[:-3], [sys.executable, path, build], SUITE_LIMIT_S)


def main():
    parser = argparse.ArgumentParser(description="runs all test suites")
    parser.add_argument("build")
    parser.add_argument("--only", default="", metavar="PATTERN", help="suites whose name contains PATTERN")
    parser.add_argument("--suite", action="append", metavar="FILE", help="run this suite; may be repeated")
    parser.add_argument("--emulator", metavar="QEMU", help="what runs the unit tests of another processor")
    parser.add_argument("--except", action="append", default=[], dest="without", metavar="NAME=WHY", help="a suite that is left out")
    args = parser.parse_args()
    build = os.path.abspath(args.build)
    if args.suite:
        chosen = [Suite(os.path.relpath(f, TESTS)[:-3], [sys.executable, f, build], LONG_LIMIT_S) for f in map(os.path.abspath, args.suite)]
    else:
        chosen = [s for s in suites(build, [args.emulator] if args.emulator else []) if args.only in s.name]
    totals = [0, 0, 0, 0]
    for name, why in (w.split("=", 1) for w in args.without):
        left = [s for s in chosen if s.name == name]
        if not left:
            print(f"  FAILED no suite is called '{name}'")
            totals[1] += 1
        for s in left:
            chosen.remove(s)
            print(f"  left out {name}: {why}")
            totals[2] += 1
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool, concurrent.futures.ThreadPoolExecutor(1) as beside:
        for suite, done in [(s, (beside if s.name in WAITING else pool).submit(s.run)) for s in chosen]:
            done.result()
            totals = [a + b for a, b in zip(totals, suite.report())]
    if not chosen:
        print(f"  FAILED no suite has '{args.only}' in its name")
        totals[1] += 1
    if not args.only and not args.suite and not any(s.name.startswith("unit/") for s in chosen):
        print(f"  FAILED no unit test is built in {args.build}")
        totals[1] += 1
    passed, failed, skipped, bad_skips = totals
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(1 if failed or bad_skips else 0)


if __name__ == "__main__":
    main()
