#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_page.py BUILD_DIR   The collector's live page, metrics and health, as http.client, a reader of event streams and a reader of Prometheus'
text format see them; who is let in; and that nothing that clients do, nor the end of the page's process, is felt by a sensor.

Sensors made of lib/story.py tell the collector what they saw; their figures were written down first.
"""
import collections
import glob
import gzip
import json
import os
import re
import signal
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), name) for name in ("lib", "report", "ledger")]
from harness import ROOT, Tap, check, equal, folder, match, run, write  # noqa: E402
from page import Events, get, raw, start, until  # noqa: E402
from pki import Pki  # noqa: E402
import prometheus  # noqa: E402
import run_report  # noqa: E402
import story  # noqa: E402
from story import endpoint, record  # noqa: E402

SECTIONS = ["s-now", "s-verdict", "s-sensors", "s-strips", "s-unexpected", "s-findings", "s-allowed", "s-gates"]
TOKEN = "0123456789abcdef-secret"
TURNED = "\u202eelpmaxe.live"  # a rule of a sensor's policy may be called so


class Reader(run_report.Reader):
    VOID = run_report.Reader.VOID | {"link"}


def number_of(text):
    return int(re.search(r'<body data-state="(\d+)">', text)[1])


def section(text, name):
    return re.split(r"</div>\n(?:<div id=|</main>)", text.split(f'<div id="{name}">\n', 1)[1], 1)[0]


def page_of(c, query="", **headers):
    status, _, body = get(c.page, "/" + query, headers)
    equal(status, 200, "status of /")
    return body.decode()


def metrics_of(c):
    status, headers, body = get(c.page, "/metrics")
    equal((status, headers["content-type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
    return prometheus.parse(body.decode())


def tell(w, c, name, **part):
    w.pki.issue(name)
    run_report.tell(name, **part).send(c.address, w.pki)


class World:
    def __init__(self, d):
        self.d, self.pki, self.store = d, Pki(os.path.join(d, "keys")), os.path.join(d, "store")


def live(tap, w, c):
    with tap.case("before any sensor: the page stands, healthy and ready, and there is nothing to judge"):
        until(lambda: get(c.page, "/readyz")[0] == 200)
        equal(get(c.page, "/healthz")[::2], (200, b"ok\n"))
        text = until(lambda: (t := page_of(c)) and "INCONCLUSIVE" in t and t)
        Reader(text)
        match("None has been heard of yet", text)
    with Events(c.page, f"?since={number_of(text)}") as one, Events(c.page, f"?since={number_of(text)}") as two:
        with tap.case("what sensors tell comes by itself: the verdict, endpoints, sensors, the strip"):
            tell(w, c, "intruder", **run_report.INTRUDER)
            tell(w, c, "turned", policy=run_report.POLICY + f'expect out udp 9 to any as "{TURNED}"\n', rules=[TURNED],
                 more_ends=[endpoint("10.0.9.8", 9, 17, 61, 61, (1, 60), (0, 0), rule=4)])
            tell(w, c, "stopped", goodbye=False)
            for events in (one, two):
                events.wait(lambda e: "turned" in e.sections().get("s-sensors", "") and "stopped" in e.sections()["s-sensors"]
                            and "UNEXPECTED EGRESS" in e.sections()["s-verdict"])
            now = one.sections()
            match(r"<code>198\.51\.100\.7:443</code> tcp", now["s-unexpected"])
            match(r"2 min OK, 1 min without data", now["s-strips"])
            match(r"data out", now["s-unexpected"])
        with tap.case("both clients got the same bytes, each state once and in order"):
            least = min(len(one.events), len(two.events))
            equal([e[2] for e in one.events[:least]], [e[2] for e in two.events[:least]])
            ids = [e[0] for e in one.events]
            check(len(ids) > 0 and ids == sorted(set(ids)) and ids[0] > number_of(text), f"{ids} after {number_of(text)}")
            equal(one.retry, 2000)
            match(r"^Content-Type: text/event-stream\r?$", one.head.decode())
        with tap.case("what events made of the page is what the page is"):
            def same():
                fresh = page_of(c)
                with one.changed:
                    got = one.events[-1][0] == number_of(fresh) and one.sections()
                return got and (fresh, got)
            fresh, got = until(same)
            for name in SECTIONS:
                if name in got:
                    equal(section(fresh, name), got[name], name)
            equal(re.findall(r'<div id="(s-[a-z]+)">', fresh), SECTIONS)
        with tap.case("who comes back with Last-Event-ID is sent what changed since, and one from before the collector's start all"):
            last = one.events[-1][0]
            with Events(c.page, headers=[("Last-Event-ID", str(one.events[0][0] - 1))]) as back, \
                 Events(c.page, headers=[("Last-Event-ID", str(last + 10**9))]) as old:
                back.wait(lambda e: e.events)
                old.wait(lambda e: e.events)
                equal(sorted(old.events[0][1]), sorted(SECTIONS))
                check("s-unexpected" in back.events[0][1], sorted(back.events[0][1]))


def told(c):
    """Records of each sensor, as the page has them now."""
    return {dict(k)["sensor"]: v for k, v in metrics_of(c).get("flowproof_collector_sensor_records_total", {}).items()}


def content(tap, w, c):
    until(lambda: told(c) == {"intruder": 9, "turned": 7, "stopped": 7})
    text = page_of(c)
    with tap.case("the page is well-formed, has no script but its own, and what came over the wire is text"):
        page = Reader(text)
        equal([a for tag, a in page.elements if tag == "script"], [{"src": "page.js", "defer": None}])
        equal([a for tag, a in page.elements if tag in ("img", "iframe", "object", "style", "form", "base")], [])
        equal([(tag, k) for tag, a in page.elements for k in a if k.startswith("on") or k == "style"], [])
        check(run_report.HOSTILE in page.texts["bdi"], "the hostile name is not shown at all")
        check("\ufffdelpmaxe.live" in page.texts["bdi"], page.texts["bdi"])
        bad = {ch for ch in text if ch in "\u202e\u202d\u2066\u2067\u061c" or (ord(ch) < 32 and ch != "\n") or 0x7f <= ord(ch) < 0xa0}
        equal(bad, set(), "controls")
    with tap.case("sensors: state, records, packets, drops, as they told"):
        rows = {m[1]: re.sub("<[^>]+>", "|", m[2]) for m in re.finditer(r'<th scope="row">([^<]+)</th>(.*?)</tr>', section(text, "s-sensors"))}
        equal(sorted(rows), ["intruder", "stopped", "turned"])
        check("connected" in rows["stopped"] and "ended" in rows["turned"], rows)
        # The benign run: 6 records, one line of a window without traffic, 53 packets; nothing dropped, nothing given up; its clock is right to 1 ms.
        match(r"0 ± 1 ms\|\|7\|\|53\|\|0\|\|0\|\|0\|$", rows["stopped"])
        match(r"\|\|9\|\|58\|", rows["intruder"])
    with tap.case("the verdict so far is what a report over the same ledger says"):
        said = json.loads(run("flowproof", "report", "-d", w.store, "--json", "-").expect(1).out)
        equal(re.search(r'class="verdict (\w+)"', text)[1], said["verdict"])
        gates = [o for o in said["obligations"] if o["kind"] == "gate"]
        match(rf"<bdi>{sum(o['state'] == 'met' for o in gates)} of {len(gates)}</bdi>", text)
        equal([int(n) for n in re.findall(r"</span> (\d+)\. ", section(text, "s-gates"))], [o["number"] for o in gates if o["state"] != "met"])
    with tap.case("in Japanese, by ?lang and by Accept-Language"):
        ja = page_of(c, "?lang=ja")
        check('<html lang="ja">' in ja and "予期しない外向き通信あり" in ja and "判定" in ja, ja[:2000])
        Reader(ja)
        for accept, lang in (("ja", "ja"), ("ja-JP,en;q=0.8", "ja"), ("en-US,ja;q=0.5", "en"), ("fr, ja;q=0.2, en;q=0.1", "ja"), ("fr", "en"), ("jax", "en")):
            match(f'<html lang="{lang}">', page_of(c, **{"Accept-Language": accept}), accept)
        match('<html lang="en">', page_of(c, "?lang=en", **{"Accept-Language": "ja"}))
    with tap.case("without scripts it is loaded anew by itself"):
        match(r'<noscript><meta http-equiv="refresh" content="5"></noscript>', text)
    with tap.case("the report so far, as HTML and JSON, is that of `flowproof report` with the audit"):
        status, headers, body = get(c.page, "/report.json?lang=en")
        equal((status, headers["content-type"]), (200, "application/json"))
        match("attachment", headers["content-disposition"])
        want = json.loads(run("flowproof", "report", "-d", ".", "--ca", w.pki.ca, "--json", "-", cwd=w.store).expect(1).out)
        got = json.loads(body)
        # The collector goes on: what it signed and when is its own.
        for k in ("verdict", "reached", "unexpected_endpoints", "allowed", "findings", "dns", "from", "to"):
            equal(got[k], want[k], k)
        status, headers, body = get(c.page, "/report.html?lang=ja")
        equal((status, headers["content-type"]), (200, "text/html; charset=utf-8"))
        match("attachment", headers["content-disposition"])
        check('<html lang="ja">' in body.decode() and body.decode().endswith("</html>\n"), body[:200])


HEADERS = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-store", "x-frame-options": "DENY",
           "cross-origin-opener-policy": "same-origin", "cross-origin-resource-policy": "same-origin", "cross-origin-embedder-policy": "require-corp"}


def requests(tap, c):
    with tap.case("every answer keeps others out: no host in its policy, no frames, nothing kept"):
        for path in ("/", "/page.css", "/page.js", "/metrics", "/healthz", "/readyz", "/none", "/report.json"):
            _, headers, _ = get(c.page, path)
            equal({k: headers.get(k) for k in HEADERS}, HEADERS, path)
            policy = dict(d.strip().split(" ", 1) for d in headers["content-security-policy"].split(";"))
            equal(policy, {"default-src": "'none'", "style-src": "'self'", "script-src": "'self'", "connect-src": "'self'", "img-src": "data:",
                           "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"}, path)
    with tap.case("GET and HEAD alone, and no body"):
        for path in ("/", "/metrics", "/healthz", "/page.js"):
            status, headers, body = get(c.page, path, method="HEAD")
            equal((status, body), (200, b""), path)
            check(int(headers["content-length"]) > 0, path)
        equal(get(c.page, "/events", method="HEAD")[::2], (200, b""))
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
            status, headers, _ = get(c.page, "/", method=method)
            equal((status, headers.get("allow")), (405, "GET, HEAD"), method)
    with tap.case("what is no request is refused, with a status"):
        host = b"Host: localhost\r\n"
        for data, status in ((b"GET / HTTP/1.1\r\n" + host + b"Content-Length: 3\r\n\r\nabc", 413),
                             (b"GET / HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n", 501),
                             (b"GET / HTTP/1.1\r\n\r\n", 400), (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
                             (b"GET / HTTP/1.1\r\n" + host + b"A: " + b"x" * 8200, 431),
                             (b"GET / HTTP/1.1\r\n" + host + b"\r\nGET / HTTP/1.1\r\n", 400),
                             (b"GET /none HTTP/1.1\r\n" + host + b"\r\n", 404), (b"GET //evil.example/ HTTP/1.1\r\n" + host + b"\r\n", 404),
                             (b"GET / HTTP/3.0\r\n" + host + b"\r\n", 505)):
            match(rf"\AHTTP/1\.1 {status} ", raw(c.page, data).decode(), repr(data[:60]))
    with tap.case("a name that is not the collector's is refused: DNS rebinding"):
        for host, status in (("localhost", 200), ("LOCALHOST:80", 200), ("127.0.0.1:9", 200), ("[::1]:9", 200), ("192.0.2.1", 200), ("evil.example", 421),
                             ("localhost.evil.example", 421), ("127.0.0.1.evil.example:80", 421), ("", 421), ("[::1", 421), ("localhost:80:80", 421),
                             ("[127.0.0.1]", 421), ("flowproof.example", 421)):
            match(rf"\AHTTP/1\.1 {status} ", raw(c.page, f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).decode(), host)
    with tap.case("other sites cannot embed it, but link to it"):
        for site, mode, status in (("cross-site", "no-cors", 403), ("same-site", "cors", 403), ("cross-site", "navigate", 200), ("same-origin", "cors", 200),
                                   ("none", "navigate", 200)):
            equal(get(c.page, "/", {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode})[0], status, f"{site} {mode}")


def metrics(tap, w, c):
    with tap.case("metrics: as the specification of the format and the conventions for names have it"):
        m = metrics_of(c)
        equal([name for name in m if not re.match("flowproof_(collector|page|build)_", name)], [])
    with tap.case("their figures are those that the sensors told"):
        one = lambda name, **labels: prometheus.value(m, "flowproof_" + name, **labels)  # noqa: E731
        equal([one("collector_sensors", state=s) for s in ("connected", "silent", "ended")], [1, 0, 2])
        equal((one("collector_hellos_total"), one("collector_batches_total"), one("collector_gaps_total")), (3, 12, 0))
        equal(one("collector_records_total"), 6 + 6 + 8, "records with traffic")
        equal([one("collector_sensor_records_total", sensor=s) for s in ("intruder", "turned", "stopped")], [9, 7, 7])
        equal([one("collector_sensor_packets_total", sensor=s) for s in ("intruder", "turned", "stopped")], [58, 53, 53])
        equal([one("collector_sensor_up", sensor=s) for s in ("intruder", "turned", "stopped")], [0, 0, 1])
        equal(one("collector_sensor_dropped_packets_total", sensor="stopped", by="kernel"), 0)
        equal([one("collector_verdict", verdict=v) for v in ("none_observed", "inconclusive", "unexpected_egress")], [0, 0, 1])
        equal(one("collector_unexpected_endpoints"), 2)
        found = [json.loads(line) for line in run("flowproof", "findings", "-d", w.store, "--json").expect(0, 1).out.splitlines()]
        want = collections.Counter((f["kind"], f["severity"]) for f in found)
        equal({(dict(k)["kind"], dict(k)["severity"]): v for k, v in m["flowproof_collector_findings"].items()}, dict(want))
        equal(len(m["flowproof_collector_obligation_met"]), 22)
        check(abs(one("collector_sensor_last_heard_timestamp_seconds", sensor="stopped") - time.time()) < 60, "when it was heard of last")
        equal((one("page_behind"), one("collector_write_failing")), (0, 0))
    with tap.case("connections that are refused are counted by how far they came"):
        before = m["flowproof_collector_refused_total"]
        host, port = c.address.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while s.recv(4096):
                pass
        key = frozenset({("stage", "handshake")})
        until(lambda: metrics_of(c)["flowproof_collector_refused_total"][key] == before[key] + 1)
    with tap.case("the dashboard asks for nothing that is not there"):
        with open(os.path.join(ROOT, "configs", "grafana-dashboard.json"), encoding="utf-8") as f:
            board = json.load(f)
        asked = {name for panel in board["panels"] for t in panel.get("targets", []) for name in re.findall(r"flowproof_\w+", t["expr"])}
        check(len(asked) >= 10, asked)
        equal(sorted(asked - set(m)), [], "metrics that the dashboard asks for and that are not there")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(p) for p in f.read().split()]


def apart(tap, w, c):
    """What may happen to the page, and a sensor beside it."""
    page_pid = children(c.p.pid)[0]
    with tap.case("more clients than there is room for: one is told so, and the others go on"):
        clients = [Events(c.page) for _ in range(64)]
        try:
            for e in clients:
                e.wait(lambda e: e.events)
            status, headers, _ = get(c.page, "/events")
            equal((status, headers["retry-after"]), (503, "30"))
            before = max(e[0] for e in clients[-1].events)
            tell(w, c, "later")
            for e in clients:
                e.wait(lambda e: any("later" in d.get("s-sensors", "") for _, d, _ in e.events))
            check(clients[-1].events[-1][0] > before, "no new state")
        finally:
            for e in clients:
                e.close()
        until(lambda: prometheus.value(metrics_of(c), "flowproof_page_clients") == 0)
    with tap.case("a hundred endpoints: the gravest fifty, and how many more there are"):
        tell(w, c, "many", more_ends=[endpoint(f"198.51.100.{i + 100}", 443, 6, 65, 66, (3, 400), (2, 80), verdict=story.UNEXPECTED_EGRESS)
                                      for i in range(100)])
        text = until(lambda: "many" in (s := section(page_of(c), "s-unexpected")) and s)
        equal((text.count("<tr>"), re.search(r"<p>and (\d+) more</p>", text)[1]), (1 + 50, "52"))  # 2 are the intruder's
    with tap.case("300 connections that ask for nothing are in nobody's way"):
        idle = [socket.create_connection(c.page) for _ in range(300)]
        equal(get(c.page, "/healthz")[0], 200)
        tell(w, c, "busy")
        for s in idle:
            s.close()
        check(prometheus.value(metrics_of(c), "flowproof_page_closed_total", why="late") >= 300 - 160, "those that gave way are counted")
    with tap.case("a page that stands still: a sensor is acknowledged all the same; then the page has all of it"):
        os.kill(page_pid, signal.SIGSTOP)
        try:
            tell(w, c, "meanwhile")
        finally:
            os.kill(page_pid, signal.SIGCONT)
        until(lambda: "meanwhile" in page_of(c))


def ended(tap, w):
    store = os.path.join(w.d, "ended")
    with start(store, w.pki) as c:
        with tap.case("a page whose process was killed: that is logged, its report process ends too, the ledger goes on"):
            until(lambda: get(c.page, "/readyz")[0] == 200)
            page_pid = children(c.p.pid)[0]
            reporters = children(page_pid)
            equal(len(reporters), 1)
            os.kill(page_pid, signal.SIGKILL)
            c.wait_for(r"page: its process ended \(signal 9\)")
            until(lambda: not any(os.path.exists(f"/proc/{p}") for p in reporters))
            tell(w, c, "after")
            c.stop().expect(0)
            match("after", run("flowproof", "records", "-d", store, "--summary").expect(0).out)


def deliveries(tap, w):
    with tap.case("a delivery's health is among the metrics"):
        options = ("--deliver-state", os.path.join(w.d, "cursor"), "--deliver-files", os.path.join(w.d, "files"), "--deliver-every-s", "1",
                   "--deliver-late-s", "0")
        with start(os.path.join(w.d, "delivered"), w.pki, *options) as c:
            tell(w, c, "sent")
            def lines():
                files = glob.glob(os.path.join(w.d, "files", "**", "*.gz"), recursive=True)
                # The DNS log's are JSON without a header.
                return sum(len(gzip.open(f, "rt").read().splitlines()) - ("flowproofdns" not in f) for f in files)
            until(lambda: lines() > 0 and prometheus.value(metrics_of(c), "flowproof_collector_delivery_records_total", delivery="files") == lines())
            m = metrics_of(c)
            equal([prometheus.value(m, "flowproof_collector_delivery_" + name, delivery="files") for name in ("failures_total", "ended")], [0, 0])
            c.stop().expect(0)


def full(tap, w):
    with tap.case("a ledger that cannot be written: not ready, and why; alive all the same"):
        with start(os.path.join(w.d, "full"), w.pki, prefix=("prlimit", "--fsize=16384")) as c:
            until(lambda: get(c.page, "/readyz")[0] == 200)
            w.pki.issue("long")
            s = story.Story("long", run_report.T0, run_report.POLICY, run_report.RULES)
            s.batch(1, records=[record(1, 2, run_report.ME, f"198.51.{i // 250}.{i % 250 + 1}", 1024 + i, 53, 17, 1, 60 + i * 7919 % 1000) for i in range(1500)])
            try:
                s.send(c.address, w.pki)
            except (AssertionError, OSError):
                pass
            status, _, body = until(lambda: (a := get(c.page, "/readyz")) and a[0] == 503 and a)
            equal(status, 503)
            match("cannot write its ledger", body.decode())
            equal(get(c.page, "/healthz")[0], 200)
            equal(prometheus.value(metrics_of(c), "flowproof_collector_write_failing"), 1)
            c.stop()


def tokens(tap, w):
    secret = write(os.path.join(w.d, "token"), TOKEN + "\n")
    os.chmod(secret, 0o600)
    args = ["-d", os.path.join(w.d, "t"), "-l", "127.0.0.1:0", *w.pki.options("collector")]
    with tap.case("elsewhere than at the loopback address a token is needed; what is wrong is said, with exit status 2"):
        open_ = write(os.path.join(w.d, "open"), TOKEN)
        os.chmod(open_, 0o644)
        short = write(os.path.join(w.d, "short"), "abc\n")
        os.chmod(short, 0o600)
        for options, why in ((["--http", "0.0.0.0:0"], "--http-token-file"), (["--http", "[::]:0"], "--http-token-file"),
                             (["--http", "192.0.2.1:80"], "--http-token-file"), (["--http", "nowhere"], "--http"), (["--http", "99999"], "--http"),
                             (["--http", "0", "--http-token-file", open_], "chmod 600"), (["--http", "0", "--http-token-file", short], "openssl rand"),
                             (["--http", "0.0.0.0:0", "--http-token-file", short], "openssl rand")):
            for more in ([], ["--check"]):
                match(why, run("flowproof-collector", *args, *options, *more).expect(2).err, str(options))
        match("nothere", run("flowproof-collector", *args, "--http", "0", "--http-token-file", os.path.join(w.d, "nothere")).expect(3).err)
        run("flowproof-collector", *args, "--http", "127.0.0.1:0", "--check").expect(0)
        match(r"(?m)^http = 8080$", run("flowproof-collector", *args, "--http", "8080", "--check").expect(0).out)
    with start(os.path.join(w.d, "t"), w.pki, "--http-token-file", secret, "--http-host", "flowproof.example", http="0.0.0.0:0") as c:
        with tap.case("without the token only the health is told"):
            for path in ("/", "/metrics", "/events", "/readyz", "/report.json", "/page.js", "/none"):
                status, headers, body = get(c.page, path)
                equal((status, headers.get("www-authenticate")), (401, 'Bearer realm="flowproof"'), path)
                check(TOKEN.encode() not in body, path)
            equal(get(c.page, "/healthz")[0], 200)
            for wrong in (TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "", "x" * 300):
                equal(get(c.page, "/", {"Authorization": "Bearer " + wrong})[0], 401, wrong)
                equal(get(c.page, f"/?token={wrong}")[0], 401, wrong)
            equal(get(c.page, "/", {"Authorization": "Basic " + TOKEN})[0], 401)
        with tap.case("with it all is; the query's is answered by a cookie that scripts and other sites cannot use, and that is not the token"):
            equal(get(c.page, "/metrics", {"Authorization": "Bearer " + TOKEN})[0], 200)
            status, headers, _ = get(c.page, f"/?token={TOKEN}&lang=ja")
            equal((status, headers["location"]), (303, "/?lang=ja"))
            cookie, *attributes = headers["set-cookie"].split("; ")
            equal(sorted(attributes), ["HttpOnly", "Path=/", "SameSite=Strict"])
            check(TOKEN not in cookie, cookie)
            equal(get(c.page, "/", {"Cookie": "other=1; " + cookie})[0], 200)
            equal(get(c.page, "/", {"Cookie": cookie[:-1] + ("0" if cookie[-1] != "0" else "1")})[0], 401)
            equal(get(c.page, "/", {"Cookie": f"flowproof={TOKEN}"})[0], 401)
        with tap.case("a name that was given is the collector's"):
            equal(get(c.page, "/healthz", {"Host": "flowproof.example:80"})[0], 200)
            equal(get(c.page, "/healthz", {"Host": "other.example"})[0], 421)
        c.stop().expect(0)
        check(TOKEN not in c.text(), "the token is in the log")


def silence(tap, c, begun):
    with tap.case("a sensor of which nothing is heard for 15 s is silent, and stands first"):
        text = until(lambda: "SILENT" in (t := page_of(c)) and t, limit=40)
        check(time.monotonic() - begun > 14, "too early")
        match(r'<tbody>\n<tr><th scope="row">stopped</th><td class="not_met">SILENT</td>', section(text, "s-sensors"))
        equal(prometheus.value(metrics_of(c), "flowproof_collector_sensors", state="silent"), 1)
        c.stop().expect(0)


def main():
    tap = Tap()
    with folder() as d:
        w = World(d)
        with start(w.store, w.pki) as c:
            begun = time.monotonic()
            live(tap, w, c)
            content(tap, w, c)
            metrics(tap, w, c)
            requests(tap, c)
            apart(tap, w, c)
            ended(tap, w)
            deliveries(tap, w)
            full(tap, w)
            tokens(tap, w)
            silence(tap, c, begun)
    tap.done()


if __name__ == "__main__":
    main()
