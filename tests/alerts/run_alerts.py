#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_alerts.py BUILD_DIR   What the collector tells of findings, at receivers of the test's own: a file, syslog over UDP, TCP and TLS read by the
grammar of RFC 5424, a web server that refuses, stalls and errs, a program that hangs. What must come is counted from the captures."""
import contextlib
import http.server
import json
import os
import queue
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "golden")]
from harness import Tap, check, equal, folder, match, run, write  # noqa: E402
from pki import Pki, collector  # noqa: E402
import make_captures as make  # noqa: E402

LIMIT = 20
ME = "10.0.0.5"
SYN, ACK = make.SYN, make.ACK
HEAD = re.compile(r"flowproof-head (\d+) ([0-9a-f]{64})")


def knock(second, peer, port=443, sport=2000):
    """A SYN that nobody answers."""
    return [make.tcp_packet(make.ns(make.T0 + second), ME, peer, sport, port, SYN)]


def answered(second, peer, port=443, sport=3000):
    """A connection that is answered, and closed without a byte of payload."""
    at = make.ns(make.T0 + second)
    return [make.tcp_packet(at, ME, peer, sport, port, SYN), make.tcp_packet(at + 1000, peer, ME, port, sport, SYN | ACK),
            make.tcp_packet(at + 2000, ME, peer, sport, port, ACK)]


def talks(second, peer, port=443, sport=4000):
    """A connection in which this machine sends."""
    at = make.ns(make.T0 + second)
    return answered(second, peer, port, sport) + [make.tcp_packet(at + 3000, ME, peer, sport, port, ACK, 200),
                                                   make.tcp_packet(at + 4000, peer, ME, port, sport, ACK, 100)]


class World:
    def __init__(self, d):
        self.d, self.n = d, 0
        self.pki = Pki(os.path.join(d, "keys"))
        self.pki.issue("one")
        self.tls = os.path.join(d, "tls.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.tls + ".key",
                        "-out", self.tls, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                       check=True, capture_output=True)

    def path(self, name):
        """A new path, in a folder in which the collector's user may make files."""
        self.n += 1
        os.makedirs(os.path.join(self.d, str(self.n)))
        os.chmod(os.path.join(self.d, str(self.n)), 0o777)
        return os.path.join(self.d, str(self.n), name)

    def collector(self, *options, store=None):
        c = collector(store or self.path("store"), "127.0.0.1:0", [*self.pki.options("collector"), *options])
        c.wait_for("findings are told", "err")
        return c

    def send(self, c, packets):
        """A replay, acknowledged to its last batch."""
        capture = write(self.path("pcap"), make.pcap(sorted(packets, key=lambda p: p.ns)))
        run("flowproof-sensor", "-r", capture, "-s", c.address, "--id", "one", *self.pki.options("one"), limit=30).expect(0)


def lines(path, count, limit=LIMIT, which=None):
    """The JSON lines of the file, as soon as there are `count` of them that `which` takes."""
    end = time.monotonic() + limit
    while True:
        found = []
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                found = [json.loads(line) for line in f.read().split("\n")[:-1]]
        found = [x for x in found if not which or which(x)]
        if len(found) >= count:
            return found
        check(time.monotonic() < end, f"{len(found)} of {count} lines in {path} within {limit} s: {found}")
        time.sleep(.02)


def is_finding(x):
    return "finding" in x


def said(x):
    f = x["finding"]
    return x["alert"], f["kind"], f["remote"], f["reached"]


# ---- receivers ---------------------------------------------------------------------------------------------------

NAME = r"[!#-<>-\\^-~]{1,32}"  # SD-NAME: PRINTUSASCII but '=', ' ', ']', '"'
VALUE = r'(?:[^"\\\]]|\\["\\\]])*'
RFC5424 = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)) (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) "
    rf"(?P<proc>[!-~]{{1,128}}) (?P<id>[!-~]{{1,32}}) (?P<sd>-|(?:\[{NAME}(?: {NAME}=\"{VALUE}\")*\])+)(?: (?P<msg>.*))?", re.S)


def parse(message):
    """A syslog message by the grammar of RFC 5424, section 6."""
    m = RFC5424.fullmatch(message.decode("utf-8"))
    check(m, f"not of RFC 5424: {message!r}")
    params = {k: re.sub(r'\\(["\\\]])', r"\1", v) for k, v in re.findall(rf' ({NAME})="({VALUE})"', m["sd"])}
    pri = int(m["pri"])
    return {"facility": pri >> 3, "severity": pri & 7, "params": params, "id": m["id"], "app": m["app"], "msg": m["msg"]}


class Receiver:
    """Takes connections, one thread each; what came is in `got`."""

    def __init__(self, serve, context=None, port=0):
        self.got, self.serve, self.context = queue.Queue(), serve, context
        self.s = socket.create_server(("127.0.0.1", port))
        self.port = self.s.getsockname()[1]
        self.open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                c = self.s.accept()[0]
                self.open.append(c)
                threading.Thread(target=self._one, args=(c,), daemon=True).start()

    def _one(self, c):
        with contextlib.suppress(OSError):
            if self.context:
                c = self.context.wrap_socket(c, server_side=True)
            self.serve(self, c)

    def close(self):
        self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()
        for c in self.open:
            with contextlib.suppress(OSError):
                c.shutdown(socket.SHUT_RDWR)


def octet_counted(receiver, c):
    """RFC 6587, 3.4.1: MSG-LEN SP SYSLOG-MSG."""
    f = c.makefile("rb")
    while True:
        size = b""
        while not size.endswith(b" "):
            b = f.read(1)
            if not b:
                return
            size += b
        check(re.fullmatch(rb"[1-9]\d* ", size), f"count {size!r}")
        receiver.got.put(f.read(int(size)))


def findings_of(got, count, limit=LIMIT):
    """The next messages that are findings."""
    ret = []
    while len(ret) < count:
        m = parse(got.get(timeout=limit))
        if "kind" in m["params"]:
            ret.append(m)
    return ret


def server_tls(w):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(w.tls, w.tls + ".key")
    return context


class Web:
    """Answers each request as the next word of `script` says, the last one for ever; what came is in `got`."""

    def __init__(self, script, context=None):
        self.got, self.script = queue.Queue(), list(script)
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                word = web.script.pop(0) if len(web.script) > 1 else web.script[0]
                web.got.put((word, self.path, dict(self.headers), body))
                if word == "stall":
                    web.stalled.wait(60)
                    return
                self.send_response(word)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.stalled = threading.Event()
        self.s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.s.daemon_threads = True
        if context:
            self.s.socket = context.wrap_socket(self.s.socket, server_side=True)
        self.port = self.s.server_address[1]
        threading.Thread(target=self.s.serve_forever, kwargs={"poll_interval": .05}, daemon=True).start()

    def close(self):
        self.stalled.set()
        self.s.shutdown()
        self.s.server_close()


# ---- cases -------------------------------------------------------------------------------------------------------

def deduplicated(tap, w):
    peer = "203.0.113.9"
    with tap.case("a finding is told once, and again when it got further, to a file that outlives being moved; nothing old after a restart"):
        store, path = w.path("store"), w.path("alerts")
        with w.collector("--alert-file", path, store=store) as c:
            w.send(c, knock(0, peer))
            equal([said(x) for x in lines(path, 1, which=is_finding)], [("new", "unexpected_egress", peer, "attempted")])
            os.rename(path, path + ".1")
            w.send(c, knock(100, peer))  # the same again: not news
            w.send(c, answered(200, peer))
            equal([said(x) for x in lines(path, 1, which=is_finding)], [("further", "unexpected_egress", peer, "answered")])
            w.send(c, talks(300, peer))
            equal(said(lines(path, 2, which=is_finding)[1]), ("further", "unexpected_egress", peer, "data_out"))
            c.stop().expect(0)
        equal(len(lines(path + ".1", 1, which=is_finding)), 1, "findings in the file that was moved")
        equal(len(lines(path, 2, which=is_finding)), 2, "findings in the new file")
        again = w.path("alerts")
        with w.collector("--alert-file", again, store=store) as c:
            w.send(c, knock(400, "203.0.113.10"))
            equal(said(lines(again, 1, which=is_finding)[0])[2], "203.0.113.10")
            w.send(c, knock(500, peer))
            c.stop().expect(0)
        equal(len(lines(again, 1, which=is_finding)), 1, "findings after the restart")
    with tap.case("the heads that a receiver kept prove the store: audit --heads takes the file, and finds a store that was put back"):
        ca = ("--ca", w.pki.ca)
        heads = [HEAD.fullmatch(x["head"]) for x in lines(path, 3)]
        check(all(heads), "a line without a head")
        numbers = [int(m[1]) for m in heads]
        equal(numbers, sorted(numbers), "numbers")
        check(numbers[-1] > numbers[0], "the end's manifest was not told")
        run("flowproof", "audit", "-d", store, *ca, "--heads", path).expect(0)
        with open(path, encoding="utf-8") as f:
            forged = f.read().replace(heads[-1][2], "0" * 64)
        run("flowproof", "audit", "-d", store, *ca, "--heads", write(path + ".forged", forged)).expect(1)


def check_told(m, peer, alert="new"):
    """One syslog message: an attempt to a peer, as the finding in its text says too."""
    equal((m["facility"], m["severity"], m["app"], m["id"]), (13, 3, "flowproof-collector", "unexpected_egress"), "header")
    p = m["params"]
    equal((p["alert"], p["kind"], p["severity"], p["remote"], p["sensor"], p["suppressed"]), (alert, "unexpected_egress", "high", peer, "one", "0"))
    check(HEAD.fullmatch(p["head"]), p["head"])
    equal(said(json.loads(m["msg"])), (alert, "unexpected_egress", peer, "attempted"))


def by_syslog(tap, w):
    tls, tcp = Receiver(octet_counted, server_tls(w)), Receiver(octet_counted)
    port = tcp.port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, \
            w.collector("--alert-syslog", f"udp:127.0.0.1:{(udp.bind(('127.0.0.1', 0)), udp.getsockname()[1])[1]}",
                        "--alert-syslog", f"tcp:127.0.0.1:{tcp.port}", "--alert-syslog", f"tls:localhost:{tls.port}", "--alert-ca", w.tls) as c:
        w.send(c, knock(0, "203.0.113.1"))
        with tap.case("syslog over UDP: a message a datagram, by the grammar"):
            udp.settimeout(LIMIT)
            messages = [parse(udp.recv(65536)) for _ in range(2)]
            equal((messages[0]["id"], messages[0]["severity"]), ("head", 6), "the head first")
            check_told(messages[1], "203.0.113.1")
        with tap.case("syslog over TLS: octets are counted, the certificate is checked"):
            check_told(findings_of(tls.got, 1)[0], "203.0.113.1")
        with tap.case("syslog over TCP: octets are counted; a receiver that comes back gets what waited"):
            check_told(findings_of(tcp.got, 1)[0], "203.0.113.1")
            tcp.close()
            w.send(c, knock(1, "203.0.113.2"))
            c.wait_for(rf"syslog tcp:127.0.0.1:{port}: .*trying again", "err")
            back = Receiver(octet_counted, port=port)
            check_told(findings_of(back.got, 1)[0], "203.0.113.2")
            c.wait_for(rf"syslog tcp:127.0.0.1:{port}: alerts are told again", "err")
        c.stop().expect(0)
    back.close()
    with tap.case("syslog over TLS: a receiver whose certificate nobody vouches for is told nothing"):
        with w.collector("--alert-syslog", f"tls:127.0.0.1:{tls.port}") as c:
            w.send(c, knock(0, "203.0.113.3"))
            c.wait_for(r"syslog tls:127\.0\.0\.1:\d+: .*certificate.*trying again", "err")
            c.stop().expect(0)
        check(tls.got.empty() or all("203.0.113.3" not in str(m) for m in list(tls.got.queue)), "it was told")
    tls.close()


def by_webhook(tap, w):
    secret = "Bearer sesame-0815-planted"
    path = "/hook/planted-path"
    headers = write(w.path("headers"), f"# who we are\nAuthorization: {secret}\n")
    web = Web([500, 503, 200], server_tls(w))
    options = ("--alert-webhook", f"https://localhost:{web.port}{path}", "--alert-ca", w.tls, "--alert-header-file", headers, "--debug")
    with tap.case("a webhook that errs twice gets the alert at the third try, with the headers of the file; the secret is in no log"):
        with w.collector(*options) as c:
            with open(f"/proc/{c.p.pid}/cmdline", "rb") as f:
                check(secret.encode() not in f.read(), "in the command line")
            w.send(c, knock(0, "203.0.113.1"))
            got = [web.got.get(timeout=LIMIT) for _ in range(3)]
            equal([word for word, *_ in got], [500, 503, 200], "answers")
            for _, where, head, body in got:
                equal((where, head["Authorization"], head["Content-Type"]), (path, secret, "application/json"))
                equal(said(json.loads(body)), ("new", "unexpected_egress", "203.0.113.1", "attempted"))
            c.wait_for("webhook https://localhost:\\d+: alerts are told again", "err")
            web.script[:] = [404]
            w.send(c, knock(1, "203.0.113.2"))
            c.wait_for("it answered 404; the alert was not told there, 1 so far", "err")
            done = c.stop().expect(0)
        equal(web.got.qsize(), 1, "a refusal is not tried again")
        for word in ("sesame", "planted"):
            check(word not in done.err + done.out, f"{word} in the log")
    web.close()
    with tap.case("OCSF and ASFF go out as such, with the head in their own place"):
        for form, place, keys in (("ocsf", "unmapped", ("flowproof_alert", "flowproof_head")), ("asff", "UserDefinedFields", ("flowproof/alert", "flowproof/head"))):
            web = Web([204])
            url = write(w.path("url"), f"http://127.0.0.1:{web.port}/x\n")
            with w.collector("--alert-webhook", url, "--alert-format", form) as c:
                w.send(c, knock(0, "203.0.113.1"))
                got = json.loads(web.got.get(timeout=LIMIT)[3])
                equal(got.get("class_uid", got.get("SchemaVersion")), {"ocsf": 2004, "asff": "2018-10-08"}[form])
                equal(got[place][keys[0]], "new")
                check(HEAD.fullmatch(got[place][keys[1]]), got[place])
                c.stop().expect(0)
            web.close()


PROGRAM = """#!/usr/bin/python3
import os, sys, time
data = sys.stdin.read()
with open(OUT, "a") as f:
    f.write(repr((sys.argv[1:], {k: v for k, v in os.environ.items() if k != "LC_CTYPE"}, data)) + "\\n")
if "203.0.113.2" in data:
    time.sleep(600)
sys.exit(7 if "203.0.113.3" in data else 0)
"""


def by_command(tap, w):
    out = w.path("out")
    program = write(w.path("tell"), PROGRAM.replace("OUT", repr(out)))
    os.chmod(program, 0o755)
    with tap.case("a program gets the alert on its standard input, an empty environment, its time, and no more; its status is logged"):
        with w.collector("--alert-command", program, "--alert-command-s", "1") as c:
            w.send(c, knock(0, "203.0.113.1") + knock(1, "203.0.113.2") + knock(2, "203.0.113.3"))
            c.wait_for(r"command \S+: exit status 0", "err")
            c.wait_for(r"command \S+: ended: it took more than 1 s.*not told there, 1 so far", "err")
            c.wait_for(r"command \S+: exit status 7", "err")
            c.stop().expect(0)
        with open(out, encoding="utf-8") as f:
            runs = [eval(line, {"__builtins__": {}}) for line in f]  # pylint: disable=eval-used
        equal([(argv, env) for argv, env, _ in runs], [([], {})] * 3, "arguments and environment")
        equal([said(json.loads(text))[2] for *_, text in runs], ["203.0.113.1", "203.0.113.2", "203.0.113.3"], "remote ends")


def limited(tap, w):
    """70 peers, 25 alerts a minute: 45 are suppressed, and the next message says so."""
    count, rate = 70, 25
    web, stall = Web([200]), Web(["stall"])
    path = w.path("alerts")
    dead = socket.create_server(("127.0.0.1", 0))  # accepts by its backlog, reads nothing
    with tap.case("no more than the rate, the number suppressed is said; a receiver that is dead holds up neither ingest nor the file"):
        with w.collector("--alert-file", path, "--alert-rate", str(rate), "--alert-webhook", f"http://127.0.0.1:{web.port}/",
                         "--alert-webhook", f"http://127.0.0.1:{stall.port}/", "--alert-syslog", f"tcp:127.0.0.1:{dead.getsockname()[1]}",
                         "--alert-severity", "high", "--seal-s", "2") as c:
            w.send(c, [p for i in range(count) for p in knock(i, f"203.0.113.{i + 1}", port=443 + i)])
            found = lines(path, count, which=is_finding)
            equal(len({x["finding"]["remote"] for x in found}), count, "remote ends in the file")
            got = [json.loads(web.got.get(timeout=LIMIT)[3]) for _ in range(rate)]
            equal([x["suppressed"] for x in got], [0] * rate, "suppressed before")
            lines(path, len(lines(path, 1)) + 1)  # a head came, so the web server would have been told more by now
            check(web.got.empty(), "more than the rate")
            begun = time.monotonic()
            c.stop(limit=40).expect(0)
            check(time.monotonic() - begun < 25, "the end is bounded")
        last = json.loads(web.got.get(timeout=LIMIT)[3])
        equal((last["alert"], last["suppressed"]), ("suppressed", count - rate), "what was not told")
    web.close()
    stall.close()
    dead.close()


def refused(tap, w):
    """What cannot work is told before anything starts."""
    with tap.case("settings that cannot be are refused, with the remedy"):
        base = ["flowproof-collector", "--check", "-d", w.path("store"), "-l", "127.0.0.1:0", *w.pki.options("collector")]
        secret = write(w.path("headers"), "no-header-but-sesame\n")
        for options, why in ((("--alert-syslog", "514"), "begins with udp:, tcp: or tls:"), (("--alert-syslog", "udp:localhost:514"), "alert-syslog"),
                             (("--alert-syslog", "tls:localhost"), "port are missing"), (("--alert-command", "tell"), "must be absolute"),
                             (("--alert-command", "/nonexistent"), "cannot be run"), (("--alert-webhook", "ftp://x/"), "takes a URL as https"),
                             (("--alert-webhook", "http://127.0.0.1/", "--alert-header-file", secret), "use https"),
                             (("--alert-webhook", "https://127.0.0.1/", "--alert-header-file", secret), "headers:1: not a header"),
                             (("--alert-file", "/nonexistent/x"), "cannot be opened"), (("--alert-format", "xml"), "one of json, ocsf, asff"),
                             (("--alert-severity", "bad"), "one of info, low"), (("--alert-rate", "0"), "alert-rate")):
            said_ = run(*base, *options).expect(2, 3).err
            match(re.escape(why), said_, " ".join(options))
            check("sesame" not in said_, said_)
        run(*base, "--alert-syslog", "udp:127.0.0.1:514", "--alert-rate", "5").expect(0)


def status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def children_of(c):
    with open(f"/proc/{c.p.pid}/task/{c.p.pid}/children", encoding="ascii") as f:
        return [int(x) for x in f.read().split()]


def confined(tap, w):
    with tap.case("as the kernel sees them: no root, no capability, no new privileges; filtered, but for what runs code of others"):
        program = write(w.path("tell"), "#!/bin/sh\n")
        os.chmod(program, 0o755)
        sanitized = "sanitizers" in run("flowproof-collector", "--self-test").out
        with w.collector("--alert-file", w.path("alerts"), "--alert-syslog", "udp:127.0.0.1:9", "--alert-command", program,
                         "--alert-webhook", "https://127.0.0.1:9/") as c:
            children = children_of(c)
            equal(len(children), 5, "outputs and the one that finds")
            for pid, is_filtered, has_root in zip(children, (True, True, False, False, True), (True, False, True, True, False)):
                end = time.monotonic() + LIMIT  # each enters its sandbox by itself; the filter is the last step
                while (s := status(pid))["NoNewPrivs"] == "0" or (s["Seccomp"] == "0" and is_filtered and not sanitized):
                    check(time.monotonic() < end, f"{pid} is not confined")
                    time.sleep(.02)
                equal((s["Uid"].split(), s["Groups"].strip(), s["NoNewPrivs"]), (["65534"] * 4, "", "1"), "user, groups, privileges")
                equal([int(s[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")], [0] * 5, "capabilities")
                if not sanitized:
                    equal((s["Seccomp"], os.readlink(f"/proc/{pid}/root") == "/"), ("2" if is_filtered else "0", has_root), f"{pid}")
            sockets = [f for pid in children[:-1] for f in os.listdir(f"/proc/{pid}/fd") if "fpl" in os.readlink(f"/proc/{pid}/fd/{f}")]
            equal(sockets, [], "files of the ledger that an output holds")
            c.stop().expect(0)


def killed(tap, w):
    with tap.case("the process that finds is killed: the collector says so and takes batches on; killed itself, it leaves nobody behind"):
        path = w.path("alerts")
        with w.collector("--alert-file", path) as c:
            children = children_of(c)
            equal(len(children), 2, "children")
            os.kill(children[1], 9)
            c.wait_for("process that finds what is told ended \\(signal 9\\)", "err")
            c.wait_for("file .* ended \\(status 0\\)", "err")
            w.send(c, knock(0, "203.0.113.1"))
            c.stop().expect(0)
        with w.collector("--alert-file", path) as c:
            children = children_of(c)
            c.kill()
            end = time.monotonic() + LIMIT
            while any(os.path.exists(f"/proc/{pid}") and "Z" not in open(f"/proc/{pid}/stat", encoding="ascii").read().split()[2] for pid in children):
                check(time.monotonic() < end, "still there")
                time.sleep(.02)


def main():
    tap = Tap()
    with folder() as d:
        w = World(d)
        for part in (deduplicated, by_syslog, by_webhook, by_command, limited, refused, confined, killed):
            part(tap, w)
    tap.done()


if __name__ == "__main__":
    main()
