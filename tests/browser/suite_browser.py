#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_browser.py BUILD_DIR   Reports in a real browser: Debian's chromium, opened from file://. `make test-browser`; pictures go to BUILD_DIR/browser.

The reports are those of tests/report: an intruder's with hostile names and a hostile note, a benign one, one with gaps; in both languages.
"""
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "lib"), os.path.join(os.path.dirname(HERE), "report")]
from harness import Tap, build_dir, check, equal, folder, run  # noqa: E402
import run_report  # noqa: E402

NOTE = "</dd><script>alert(2)</script><img src=http://192.0.2.1/x onerror=alert(3)>"


def reports(w, d):
    for sensor in ("intruder", "benign", "stopped"):
        for lang in ("en", "ja"):
            path = os.path.join(d, f"{sensor}-{lang}.html")
            run("flowproof", "report", "-d", w.store, "--sensor", sensor, "--ca", w.pki.ca, "--html", path, "--lang", lang, "--tz", "Asia/Tokyo",
                "--case", "2025-77", "--note", NOTE, "--flow-logs", w.logs).expect(0, 1)
            yield path


def prepare():
    """What npm brings; the folder that pictures go to."""
    home = os.path.join(build_dir(), "browser")
    os.makedirs(home, exist_ok=True)
    shutil.copy(os.path.join(HERE, "package.json"), home)
    subprocess.run(["npm", "install", "--no-fund", "--no-audit", "--silent"], cwd=home, check=True)
    return home


def browse(paths):
    home = prepare()
    p = subprocess.run(["node", os.path.join(HERE, "report.mjs"), home, *paths], cwd=home, stdout=subprocess.PIPE, text=True, timeout=300, check=True)
    return [json.loads(line) for line in p.stdout.splitlines()]


def main():
    tap = Tap()
    with folder() as d:
        pages = []
        with tap.case("six reports are made and opened in chromium"):
            pages = browse(list(reports(run_report.World(d), d)))
            equal(len(pages), 6)
        for page in pages:
            with tap.case(f"{page['name']}: opened from file://, it asks for nothing else, and nothing in it runs"):
                for look in ("light", "dark", "phone", "unscripted"):
                    got = page[look]
                    equal(got["requests"], [page["url"]], look)
                    equal((got["dialogs"], got["errors"]), (0, []), look)
                    # A phone leaves out the times below the strip: five of them for each sensor.
                    equal(page["light"]["text"] - got["text"] in range(5 * 20 + 1) if look == "phone" else got["text"] == page["light"]["text"],
                          True, f"text, {look}: {got['text']} of {page['light']['text']} letters")
            with tap.case(f"{page['name']}: a phone need not be scrolled sideways"):
                equal(page["overflow"], 0)
            with tap.case(f"{page['name']}: axe finds nothing serious, light and dark"):
                for scheme, violations in page["axe"].items():
                    bad = [v for v in violations if v["impact"] in ("serious", "critical")]
                    check(not bad, f"{scheme}: {json.dumps(bad, indent=1)}")
    tap.done()


if __name__ == "__main__":
    main()
