#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_metrics.py BUILD_DIR   The sensor's metrics in a namespace: true numbers, the format, and that who asks badly costs nobody anything.

What the counters must say is counted by the kernel and by the test's own datagrams.
"""
import contextlib
import os
import re
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Daemon, Tap, check, equal, folder, run, summary  # noqa: E402
import net  # noqa: E402
from pki import Pki, collector  # noqa: E402
import prometheus  # noqa: E402
from prometheus import value  # noqa: E402

SENSOR, COLLECTOR, PORT = "10.9.0.2", "10.9.0.1", 9184
PREFIX = "flowproof_sensor_"


def connect(ns):
    s = net.sock(ns, socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(10)
    s.connect(("127.0.0.1", PORT))
    return s


def everything(s):
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while part := s.recv(65536):
            got += part
    return got


def ask(ns, request):
    """(status, headers, body)"""
    with connect(ns) as s:
        s.sendall(request)
        head, body = everything(s).split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    return int(lines[0].split(" ")[1]), dict(line.split(": ", 1) for line in lines[1:]), body


def get(ns, path="/metrics", method="GET"):
    return ask(ns, f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nUser-Agent: Prometheus/2.42.0\r\nAccept: */*\r\n\r\n".encode())


def metrics(ns):
    status, headers, body = get(ns)
    equal((status, headers["Content-Type"], int(headers["Content-Length"])), (200, "text/plain; version=0.0.4; charset=utf-8", len(body)))
    return prometheus.parse(body.decode())


def until(what, condition, limit=30):
    end = time.monotonic() + limit
    while not condition():
        check(time.monotonic() < end, f"not within {limit} s: {what}")
        time.sleep(0.1)


def send(ns, n, port=7000):
    with net.sock(ns, socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(n):
            s.sendto(b"x" * 100, (COLLECTOR, port))


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))




def right(tap, ns, s, c, d):
    with tap.case("the format holds, and counters are there from the first scrape on"):
        m = metrics(ns.inst)
        for name in ("packets_received_total", "packets_total", "packets_dropped_total", "records_total", "findings_total", "flows_total", "flow_slots",
                     "endpoints", "spool_used_bytes", "uplink_connected", "start_timestamp_seconds", "build_info"):
            check(PREFIX + name in m, name)
        check(abs(value(m, PREFIX + "start_timestamp_seconds") - time.time()) < 60, "when it began")
        equal(value(m, PREFIX + "uplink_connected"), 1)
        equal(value(m, PREFIX + "uplink_connections_total"), 1)
    with tap.case("500 datagrams: as many packets more, one finding, no drop"):
        before = metrics(ns.inst)
        send(ns.inst, 500)
        packets = frozenset({("interface", "eth0")})
        name = PREFIX + "packets_received_total"
        until("the capture has them", lambda: metrics(ns.inst)[name][packets] - before[name][packets] >= 500)
        after = metrics(ns.inst)
        # Beside these go batches to the collector and their acknowledgements.
        check(after[name][packets] - before[name][packets] < 700, f"{after[name][packets] - before[name][packets]} packets")
        equal(value(after, PREFIX + "findings_total") - value(before, PREFIX + "findings_total"), 1)
        equal(value(after, PREFIX + "packets_dropped_total", interface="eth0", by="kernel"), 0)
        equal(value(after, PREFIX + "packets_total", interface="eth0", outcome="malformed"), 0)
        check(value(after, PREFIX + "endpoints") >= 2, "the collector and the one that was called")
    with tap.case("a frame that is no IP has its outcome"):
        with net.sock(ns.inst, socket.AF_PACKET, socket.SOCK_RAW) as raw:
            with net.inside(ns.inst):
                raw.bind(("eth0", 0))
            raw.send(b"\xff" * 6 + b"\2" * 6 + b"\x88\xb5" + b"y" * 46)  # IEEE 802, local experiments
        until("it was counted", lambda: value(metrics(ns.inst), PREFIX + "packets_total", interface="eth0", outcome="not_ip") == 1)
    with tap.case("counters of the run end where the summary says"):
        last = metrics(ns.inst)
        check(sum(last[PREFIX + "packets_total"].values()) <= last[PREFIX + "packets_received_total"][frozenset({("interface", "eth0")})], "more than came in")
    with tap.case("clocks were compared: the offset within what it is right to"):
        until("an offset", lambda: value(metrics(ns.inst), PREFIX + "clock_offset_seconds") is not None)
        m = metrics(ns.inst)
        # Both programs have this machine's clock.
        check(abs(value(m, PREFIX + "clock_offset_seconds")) <= value(m, PREFIX + "clock_offset_error_seconds") + 0.05, "the offset")
    with tap.case("/healthz, HEAD, what is not there, what is not allowed"):
        equal(get(ns.inst, "/healthz")[::2], (200, b"ok\n"))
        status, headers, body = get(ns.inst, "/metrics", "HEAD")
        check(status == 200 and int(headers["Content-Length"]) > 1000 and body == b"", f"{status} {headers}")
        equal(get(ns.inst, "/")[0], 404)
        equal(get(ns.inst, "/metrics/..")[0], 404)
        equal(get(ns.inst, "/metrics", "POST")[0], 405)
        for status, request in ((400, b"\0\1\2\3\r\n\r\n"), (400, b"GET /metrics HTTP/1.1\r\n\r\n"), (505, b"GET /metrics HTTP/2\r\nHost: a\r\n\r\n"),
                                (413, b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"),
                                (431, b"GET /metrics HTTP/1.1\r\nHost: a\r\nA: " + b"a" * 4000)):
            equal(ask(ns.inst, request)[0], status, request[:40])


def hostile(tap, ns, s, c, d):
    with tap.case("forty that ask nothing: whoever asks well is answered, and those are cut off"):
        silent = [connect(ns.inst) for _ in range(40)]
        check(value(metrics(ns.inst), PREFIX + "scrapes_total") > 0, "no answer")
        for one in silent:
            equal(everything(one), b"")
            one.close()
        check(value(metrics(ns.inst), PREFIX + "scrapes_cut_off_total") >= 40, "not counted")
    with tap.case("a request a byte at a time, and one that never reads"):
        with connect(ns.inst) as slow, connect(ns.inst) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            deaf.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            for byte in b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n":
                slow.sendall(bytes([byte]))
            check(everything(slow).endswith(b"\r\n\r\nok\n"), "the slow one")
    with tap.case("no file is left open, and the capture lost nothing"):
        before = metrics(ns.inst)
        until("connections are closed", lambda: open_files(s.p.pid) <= FILES["before"] + 1, 10)
        equal(value(before, PREFIX + "packets_dropped_total", interface="eth0", by="kernel"), 0)
    with tap.case("many scrapes at once, a flood meanwhile: all answered, nothing lost"):
        got = []
        for _ in range(10):
            send(ns.inst, 2000, 7001)
            got.append(metrics(ns.inst))
        for name in ("packets_received_total", "records_total", "flows_total"):
            series = [sum(m[PREFIX + name].values()) for m in got]
            equal(series, sorted(series), f"{name} goes back")
        equal(value(got[-1], PREFIX + "packets_dropped_total", interface="eth0", by="kernel"), 0)


def ended(tap, ns, s, c, d):
    with tap.case("the collector goes: the uplink is not connected, the spool fills"):
        c.stop().expect(0)
        until("not connected", lambda: value(metrics(ns.inst), PREFIX + "uplink_connected") == 0)
        send(ns.inst, 10, 7002)
        until("the spool holds a batch", lambda: value(m := metrics(ns.inst), PREFIX + "spool_used_bytes") > 0 and
              value(m, PREFIX + "batches_total") > value(m, PREFIX + "batches_acknowledged_total"))
    with tap.case("the last scrape is no more than the summary"):
        last = metrics(ns.inst)
        s.p.terminate()
        with collector(os.path.join(d, "store"), f"{COLLECTOR}:4739", PKI[0].options("collector"), net.prefix(ns.col)) as again:
            s.wait(40).expect(0)
            again.stop()
        said = summary(s.text("err"))
        check(last[PREFIX + "packets_received_total"][frozenset({("interface", "eth0")})] <= said["received"], f"{said}")


PKI, FILES = [], {}


def main():
    net.need_root("run_metrics")
    tap = Tap()
    with tap.case("only loopback unless it is said; only live"):
        for at, more, code, says in (("0.0.0.0:9184", [], 2, "--metrics-remote"), ("10.0.0.1:9184", [], 2, "--metrics-remote"), ("[::]:9184", [], 2, "--metrics-remote"),
                                     ("9184", [], 2, "--metrics"), ("127.0.0.1:9184", [], 0, ""), ("[::1]:9184", [], 0, ""),
                                     ("192.0.2.1:9184", ["--metrics-remote"], 0, "")):
            r = run("flowproof-sensor", "-i", "lo", "--metrics", at, *more, "--check").expect(code)
            check(says in r.err, f"{at}: {r.err}")
        check("live" in run("flowproof-sensor", "-r", "-", "--metrics", "127.0.0.1:9184").expect(2).err, "--read")
    with tap.case("off it takes no memory, on as much as --check says"):
        def memory(*args):
            return {m[1]: int(m[2]) for m in re.finditer(r"^# memory (\S+) (\d+)$", run("flowproof-sensor", "-i", "lo", *args, "--check").expect(0).out, re.M)}
        off, on = memory(), memory("--metrics", "127.0.0.1:9184")
        check("metrics" not in off, "off")
        equal(on["all"] - off["all"], on["metrics"])
    with folder() as d, net.Namespaces("inst", "col") as ns:
        net.veth(ns.inst, "eth0", [SENSOR + "/24"], ns.col, "eth0", [COLLECTOR + "/24"])
        pki = Pki(os.path.join(d, "keys"))
        PKI.append(pki)
        pki.issue("i-metrics")
        with collector(os.path.join(d, "store"), f"{COLLECTOR}:4739", pki.options("collector"), net.prefix(ns.col)) as c, \
             Daemon("flowproof-sensor", "-i", "eth0", "-s", c.address, "--id", "i-metrics", *pki.options("i-metrics"), "--metrics", f"127.0.0.1:{PORT}",
                    prefix=net.prefix(ns.inst)) as s:
            s.wait_for("uplink: connected")
            FILES["before"] = open_files(s.p.pid)
            with tap.case("it listens at that address alone"):
                out = subprocess.run([*net.prefix(ns.inst), "ss", "-Hltn"], stdout=subprocess.PIPE, text=True, check=True).stdout
                equal([line.split()[3] for line in out.splitlines()], [f"127.0.0.1:{PORT}"])
            for part in (right, hostile, ended):
                part(tap, ns, s, c, d)
    tap.done()


if __name__ == "__main__":
    main()
