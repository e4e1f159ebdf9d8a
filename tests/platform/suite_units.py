#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_units.py BUILD_DIR   The units of systemd: nothing in them is unknown, each is hardened, and the sensor's goes before the network."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import ROOT, Tap, build_dir, check, equal, folder, match, write  # noqa: E402

UNITS = os.path.join(ROOT, "platform", "systemd")
EXPOSURE_BELOW = 2.0


def analyze(*args):
    p = subprocess.run(["systemd-analyze", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return p.returncode, p.stdout


def runnable(text):
    """With a program that is there: verify looks for it."""
    return re.sub(r"^(Exec\w+=[-+]*)/usr/sbin/flowproof-\w+", r"\1/bin/true", text, flags=re.M)


def verify(d, name, text):
    """What systemd says of a unit: it exits 0 also where it warns, so only silence will do."""
    return analyze("verify", "--man=no", write(os.path.join(d, name), runnable(text)))


def main():
    build_dir()
    tap = Tap()
    with folder() as d:
        for name in ("sensor", "collector"):
            unit = f"flowproof-{name}.service"
            with open(os.path.join(UNITS, unit), encoding="utf-8") as f:
                text = f.read()
            with tap.case(f"{unit}: systemd knows every word of it"):
                equal(verify(d, unit, text), (0, ""), "systemd-analyze verify")
                check(verify(d, unit, text.replace("[Service]", "[Service]\nProtectSytem=yes"))[1] != "", "a slip of the pen is told")
            with tap.case(f"{unit}: exposure below {EXPOSURE_BELOW}"):
                code, said = analyze("--offline=true", f"--threshold={round(EXPOSURE_BELOW * 10) - 1}", "security", os.path.join(UNITS, unit))
                equal(code, 0, said[-200:])
                check(float(match(r"exposure level for \S+: ([\d.]+)", said).group(1)) < EXPOSURE_BELOW, said[-200:])
            with tap.case(f"{unit}: without a configuration it does not start"):
                match(rf"^ConditionPathExists=/etc/flowproof/{name}\.conf$", text)
                for option in re.findall(r" (--[a-z-]+)", "".join(re.findall(r"^Exec\w+=.*", text, re.M))):
                    page = os.path.join(ROOT, "docs", f"flowproof-{name}.8")
                    with open(page, encoding="utf-8") as f:
                        check(f"Fl {option[1:]}" in f.read(), f"{option} is not in {page}")
    tap.done()


if __name__ == "__main__":
    main()
