#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_page.py BUILD_DIR   The live page in a real browser: Debian's chromium. `make test-browser`; pictures go to BUILD_DIR/browser.

Once beside a part of the gauntlet, live traffic in namespaces with a sensor each; once beside sensors of lib/story.py whose names are hostile. Its
metrics are held against promtool too.
"""
import contextlib
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), name) for name in ("lib", "report", "gauntlet", "ledger")]
from harness import Tap, build_dir, check, equal, folder  # noqa: E402
import net  # noqa: E402
import page as live_page  # noqa: E402
from pki import Pki  # noqa: E402
import run_gauntlet  # noqa: E402
import run_report  # noqa: E402
import suite_browser  # noqa: E402
import table  # noqa: E402

PART = ("tcp-plain", "udp-plain", "icmp-echo", "tcp6", "syn-unanswered", "syn-refused", "udp-refused", "dns-tunnel-txt")
PORT = 4780


class Look:
    """A browser that looks while something happens: `with Look(...) as l: ...`, then `l.result`."""

    def __init__(self, name, url, wanted, prefix=()):
        home = os.path.join(build_dir(), "browser")
        self.p = subprocess.Popen([*prefix, "node", os.path.join(HERE, "page.mjs"), home, name, url, wanted], cwd=home, stdout=subprocess.PIPE, text=True)
        self.result = None

    def __enter__(self):
        try:
            equal(self.p.stdout.readline(), "looking\n")
        except BaseException:
            self.p.kill()
            raise
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.p.kill()
        out, _ = self.p.communicate(timeout=240)
        equal(self.p.returncode, 0, "node")
        self.result = json.loads(out)


def judge(tap, name, url, got):
    with tap.case(f"{name}: it updates by itself, without a new load"):
        equal((got["wasThere"], got["live"]["loads"]), (False, 1))
        check(got["live"]["changes"] > 0, "no change of the document was seen")
    with tap.case(f"{name}: it asks its collector alone, and nothing of it runs but its script"):
        for look in ("live", "dark", "phone", "ja", "unscripted"):
            equal([r for r in got[look]["requests"] if not r.startswith((url, "data:,"))], [], look)
            equal((got[look]["dialogs"], got[look]["errors"]), (0, []), look)
        equal(got["scripts"], [url + "page.js"])
    with tap.case(f"{name}: without JavaScript it reads the same, and is loaded anew by itself"):
        check(got["unscripted"]["wanted"], "what was wanted is not there")
        check(got["unscripted"]["loads"] >= 2, got["unscripted"])
    with tap.case(f"{name}: a phone need not be scrolled sideways; a Japanese browser gets Japanese"):
        equal([got[look]["overflow"] for look in ("dark", "phone", "ja")], [0, 0, 0])
        equal((got["ja"]["lang"], got["dark"]["lang"]), ("ja", "en"))
    with tap.case(f"{name}: axe finds nothing serious, light and dark"):
        for scheme, violations in got["axe"].items():
            bad = [v for v in violations if v["impact"] in ("serious", "critical")]
            check(not bad, f"{scheme}: {json.dumps(bad, indent=1)}")


def gauntlet(tap, d):
    url = f"http://127.0.0.1:{PORT}/"
    rows = [t for t in table.rows() if t.name in PART]
    equal(len(rows), len(PART))
    looks = []

    @contextlib.contextmanager
    def beside(namespace):
        """The run goes on when the page is looked at, and the collector ends when all was looked at."""
        look = Look("gauntlet", url, r"198\.51\.100\.10:8443 tcp", net.prefix(namespace))
        with look:
            yield
        looks.append(look.result)

    with tap.case(f"{len(rows)} techniques of the gauntlet run while the page is looked at"):
        r = run_gauntlet.Run(d, rows, ("--http", str(PORT)), beside)
        check(not r.errors, r.errors)
        equal(len(looks), 1)
    if looks:
        judge(tap, "gauntlet", url, looks[0])


def hostile(tap, d):
    pki = Pki(os.path.join(d, "keys"))
    with live_page.start(os.path.join(d, "store"), pki) as c:
        url = "http://{}:{}/".format(*c.page)
        look = Look("hostile", url, "UNEXPECTED EGRESS[^]*stopped[^]*<script>alert")
        with tap.case("sensors with hostile names speak while the page is looked at"):
            with look:
                for name, part in (("intruder", run_report.INTRUDER), ("benign", {}), ("stopped", dict(goodbye=False))):
                    pki.issue(name)
                    run_report.tell(name, **part).send(c.address, pki)
        if look.result:
            judge(tap, "hostile", url, look.result)
        with tap.case("promtool finds nothing wrong with the metrics"):
            status, _, body = live_page.get(c.page, "/metrics")
            equal(status, 200)
            p = subprocess.run(["promtool", "check", "metrics"], input=body, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            equal((p.returncode, p.stdout.decode()), (0, ""))
        c.stop().expect(0)


def main():
    net.need_root("suite_page")
    tap = Tap()
    suite_browser.prepare()
    with folder() as d:
        for part in (hostile, gauntlet):
            where = os.path.join(d, part.__name__)
            os.mkdir(where)
            os.chmod(where, 0o755)
            part(tap, where)
    tap.done()


if __name__ == "__main__":
    main()
