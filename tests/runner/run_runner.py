#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_runner.py BUILD_DIR   The runner itself: whatever goes wrong in a suite must not look like success."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import ROOT, Tap, check, equal, folder, run, write  # noqa: E402

GOOD = "print('ok 1 - a'); print('ok 2 - b'); print('1..2')"
# name, the suite's program, closing line, exit code, a word of the report
CASES = (
    ("good", GOOD, "2 passed, 0 failed, 0 skipped", 0, "ok "),
    ("a failed test", "print('1..2'); print('ok 1 - a'); print('not ok 2 - b'); print('# why'); raise SystemExit(1)",
     "1 passed, 1 failed, 0 skipped", 1, "why"),
    ("a failed test and exit 0", "print('1..1'); print('not ok 1 - b')", "0 passed, 1 failed, 0 skipped", 1, "not ok: b"),
    ("fewer tests than planned", "print('1..3'); print('ok 1 - a')", "1 passed, 1 failed, 0 skipped", 1, "planned 3 tests, ran 1"),
    ("more tests than planned", "print('1..1'); print('ok 1 - a'); print('ok 2 - b')", "2 passed, 1 failed, 0 skipped", 1, "planned 1"),
    ("no plan", "print('ok 1 - a')", "1 passed, 1 failed, 0 skipped", 1, "planned 0"),
    ("nothing at all", "", "0 passed, 1 failed, 0 skipped", 1, "ran no test"),
    ("an empty plan", "print('1..0')", "0 passed, 1 failed, 0 skipped", 1, "ran no test"),
    ("numbers that leap", "print('1..2'); print('ok 1 - a'); print('ok 3 - b')", "2 passed, 1 failed, 0 skipped", 1, "after test 1"),
    ("exit code without a failed test", GOOD + "; raise SystemExit(4)", "2 passed, 1 failed, 0 skipped", 1, "exit code 4"),
    ("killed by a signal", GOOD + "; import os, sys; sys.stdout.flush(); os.kill(os.getpid(), 11)", "2 passed, 1 failed, 0 skipped", 1, "signal 11"),
    ("out of time", GOOD + "; import sys, time; sys.stdout.flush(); time.sleep(60)", "2 passed, 1 failed, 0 skipped", 1, "limit"),
    ("out of time with a child that holds its output",
     GOOD + "; import subprocess, sys; sys.stdout.flush(); subprocess.run(['sleep', '60'])", "2 passed, 1 failed, 0 skipped", 1, "limit"),
    ("a skip that is allowed", GOOD.replace("- b", "- b # SKIP shared captures absent"), "1 passed, 0 failed, 1 skipped", 0, "absent"),
    ("a skip that is not", GOOD.replace("- b", "- b # SKIP too tired"), "1 passed, 0 failed, 1 skipped", 1, "too tired"),
    ("a skip as cmocka prints it", "print('1..2'); print('ok 1 - a'); print('not ok 2 # SKIP b')", "1 passed, 0 failed, 1 skipped", 1,
     "not an allowed reason"),
    ("several groups, as cmocka prints them", "print('1..1'); print('ok 1 - a'); print('# ok - x'); print('1..1'); print('ok 1 - b')",
     "2 passed, 0 failed, 0 skipped", 0, "ok "),
)


def runner(d, program, *args):
    """A copy of the runner over one suite and one unit test, with a limit of a second."""
    tests = os.path.join(d, "tests")
    shutil.rmtree(tests, ignore_errors=True)
    os.makedirs(os.path.join(tests, "fake"))
    unit = os.path.join(d, "build", "tests", "unit", "folder")
    os.makedirs(unit, exist_ok=True)
    write(os.path.join(unit, "test_x"), "#!/bin/sh\necho 1..1\necho ok 1 - unit >&2\n")
    os.chmod(os.path.join(unit, "test_x"), 0o755)
    with open(os.path.join(ROOT, "tests", "run.py"), encoding="utf-8") as f:
        write(os.path.join(tests, "run.py"), f.read().replace("SUITE_LIMIT_S = 400", "SUITE_LIMIT_S = 1"))
    write(os.path.join(tests, "fake", "run_fake.py"), program)
    return run(sys.executable, os.path.join(tests, "run.py"), os.path.join(d, "build"), *args, limit=50)


def main():
    tap = Tap()
    with folder() as d:
        for name, program, closing, code, word in CASES:
            with tap.case(name):
                result = runner(d, program, "--only", "fake")
                equal((result.out.splitlines()[-1], result.code), (closing, code), result.out)
                check(word in result.out, result.out)
        with tap.case("unit tests are run too, their two outputs joined"):
            equal(runner(d, GOOD).out.splitlines()[-1], "3 passed, 0 failed, 0 skipped")
        with tap.case("no such suite is not success"):
            equal(runner(d, GOOD, "--only", "nothing-of-this-name").code, 1)
        with tap.case("no unit test built is not success"):
            shutil.rmtree(os.path.join(d, "build"))
            os.makedirs(os.path.join(d, "build"))
            result = run(sys.executable, os.path.join(d, "tests", "run.py"), os.path.join(d, "build"))
            equal(result.code, 1, result.out)
    tap.done()


if __name__ == "__main__":
    main()
