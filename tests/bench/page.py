#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""page.py BUILD_DIR   The live page with 1,000 sensors and 100,000 endpoints: its size, the time to its first byte; and what ingest does beside
it, without it, with it, and with 50 clients of which half never read. A benchmark, never a test."""
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"), os.path.dirname(os.path.abspath(__file__))]
from ingest import cpu, peak_mib  # noqa: E402

SENSORS, BATCHES, RECORDS, HOSTS = 1000, 5, 40, 1000  # a batch holds half as many hosts as records, all of them new
ENDPOINTS = SENSORS * BATCHES * RECORDS // 2
ASKED, CLIENTS = 40, 50


def ask(page, path):
    """(seconds to the first byte, bytes)"""
    begin = time.monotonic()
    with socket.create_connection(page) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        got = s.recv(1)
        first = time.monotonic() - begin
        while part := s.recv(1 << 16):
            got += part
    return first, got.split(b"\r\n\r\n", 1)[1]


def metric(page, name):
    return float(re.search(rf"^{re.escape(name)} (\S+)$", ask(page, "/metrics")[1].decode(), re.M)[1])


class Collector:
    def __init__(self, build, d, store, with_page=True):
        self.build, self.d = build, d
        log = os.path.join(d, store + ".log")
        with open(log, "wb") as err:
            self.p = subprocess.Popen([f"{build}/flowproof-collector", "-q", "-d", os.path.join(d, store), "-l", "127.0.0.1:0", "--ca", f"{d}/ca.crt",
                                       "--cert", f"{d}/collector.crt", "--key", f"{d}/collector.key", *(["--http", "127.0.0.1:0"] if with_page else [])],
                                      stderr=err)
        while not (found := re.search(r"listening on (\S+)", text := open(log, encoding="utf-8").read())):
            time.sleep(0.01)
        self.address = found[1]
        self.page = ("127.0.0.1", int(re.search(r"page: at http://127\.0\.0\.1:(\d+)/", text)[1])) if with_page else None

    def page_pid(self):
        with open(f"/proc/{self.p.pid}/task/{self.p.pid}/children", encoding="ascii") as f:
            return int(f.read().split()[0])

    def load(self, sensors, batches, records, hosts=64):
        return subprocess.Popen([f"{self.build}/tests/bench/ingest_load", self.address, *map(str, (sensors, batches, records, hosts))], cwd=self.d,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.terminate()
        self.p.wait()


def large(build, d):
    with Collector(build, d, "large") as c:
        with c.load(SENSORS, BATCHES, RECORDS, HOSTS) as load:
            print(load.stdout.readline().strip(), f"endpoints {ENDPOINTS}")
            while metric(c.page, "flowproof_collector_unexpected_endpoints") < ENDPOINTS:
                time.sleep(0.2)
            times, size = [], 0
            for _ in range(ASKED):
                first, body = ask(c.page, "/")
                times.append(first * 1000)
                size = max(size, len(body))
                time.sleep(0.05)
            times.sort()
            print(f"page {size} bytes; to its first byte: median {times[len(times) // 2]:.1f} ms, worst of {ASKED} {times[-1]:.1f} ms")
            print(f"metrics {len(ask(c.page, '/metrics')[1])} bytes; a state takes {metric(c.page, 'flowproof_page_state_duration_seconds') * 1000:.0f} ms; "
                  f"the page's process {peak_mib(c.page_pid()):.0f} MiB, {cpu(c.page_pid()):.1f} s CPU")


def client(page, reads, stop):
    with socket.create_connection(page) as s:
        s.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        s.settimeout(0.2)
        while not stop.is_set():
            try:
                if not reads:
                    stop.wait(0.2)
                elif not s.recv(1 << 16):
                    return
            except socket.timeout:
                pass


def beside(build, d):
    print(f"{'beside ingest':<28} {'records':>9} {'wall s':>7} {'CPU s':>6} {'records/CPU s':>13}")
    for turn in range(3):
        for name, with_page, clients in (("no page", False, 0), ("page, nobody looks", True, 0), (f"page, {CLIENTS} clients", True, CLIENTS)):
            with Collector(build, d, f"s{turn}{with_page}{clients}", with_page) as c:
                stop = threading.Event()
                threads = [threading.Thread(target=client, args=(c.page, i % 2 == 0, stop)) for i in range(clients)]
                for t in threads:
                    t.start()
                before = cpu(c.p.pid)
                with c.load(1, 500, 2000) as load:
                    said = load.stdout.readline().split()
                    spent = cpu(c.p.pid) - before
                stop.set()
                for t in threads:
                    t.join()
                print(f"{name:<28} {said[1]:>9} {said[3]:>7} {spent:>6.2f} {int(said[1]) / spent:>13.0f}", flush=True)


def main():
    build = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="flowproof-bench-") as d:
        os.chmod(d, 0o755)
        subprocess.run([f"{build}/flowproof", "pki", "init", "-d", d], check=True, stdout=subprocess.DEVNULL)
        large(build, d)
        beside(build, d)


if __name__ == "__main__":
    main()
