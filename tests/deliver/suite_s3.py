#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_s3.py BUILD_DIR   Deliveries to S3 at Ceph's gateway: signatures, locks and sessions as it judges them; failures that a proxy makes, and a
gateway that is killed. In the end the bucket holds what the ledger gives, once. Part of make test-deliver (root)."""
import gzip
import hashlib
import http.client
import http.server
import os
import random
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TESTS, "lib"), os.path.join(TESTS, "golden")]
from harness import Tap, build_dir, check, equal, folder, match, write  # noqa: E402
from pki import collector  # noqa: E402
from aws_world import LIMIT, World, children, knocks, records, wait  # noqa: E402
import rgw  # noqa: E402

PART = 16 * 1024 * 1024


class Proxy:
    """Hands requests on to the gateway as they are; `faults` (each used once, in order, by requests of `method`): a number (answered with it), "lost"
    (handed on, the answer is not), "cut" (not handed on), "slow" (handed on, answered after `pause` seconds), "half" (half of the body is handed
    on; then all is cut)."""

    def __init__(self, gateway):
        self.faults, self.used, self.lock, proxy = [], [], threading.Lock(), self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with proxy.lock:
                    fault = proxy.faults.pop(0) if proxy.faults and self.command == "PUT" else None
                    proxy.used += [fault] if fault else []
                if isinstance(fault, int):
                    answer = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
                    self.send_response(fault)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                    return
                if fault == "half":
                    with socket.create_connection(("127.0.0.1", gateway.port)) as s:
                        head = f"{self.command} {self.path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in self.headers.items()) + "\r\n"
                        s.sendall(head.encode() + body[:len(body) // 2])
                if fault in ("half", "cut"):
                    self.close_connection = True
                    return
                c = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
                c.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    c.putheader(name, value)
                c.endheaders(body or None)
                answer = c.getresponse()
                text = answer.read()
                if fault == "slow":
                    time.sleep(2)  # longer than a request takes, shorter than it may stall: what is tested is that it is waited for
                if fault == "lost":
                    self.close_connection = True
                    return
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", answer.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = serve

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": .02}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Drive:
    """The uploader alone, a try a call (aws_drive.c)."""

    def __init__(self, endpoint, bucket, *options):
        self.p = subprocess.Popen([os.path.join(build_dir(), "tests/deliver/aws_drive"), "s3", endpoint, bucket, *options], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ask(self, key, path, off=0):
        self.p.stdin.write(f"{key} {path} {off}\n")
        self.p.stdin.flush()

    def answer(self):
        return self.p.stdout.readline().rstrip("\n")

    def put(self, key, path, off=0):
        self.ask(key, path, off)
        return self.answer()

    def until_done(self, key, path):
        for _ in range(100):
            said = self.put(key, path)
            if said == "done":
                return
            check(said.startswith("again"), said)
            time.sleep(.1)
        raise AssertionError(said)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.kill()
        self.p.communicate()


def lines_in(gateway, bucket):
    found = []
    for key in gateway.keys(bucket):
        if "flowproofdns" not in key:
            found += gzip.decompress(gateway.get(bucket, key)).decode().splitlines()[1:]
    return sorted(found)


def options(w, endpoint, bucket):
    return w.options("--s3-bucket", bucket, "--s3-endpoint", endpoint, "--s3-path-style")


def end_to_end(tap, w, g):
    now = int(time.time()) - 4000
    with tap.case("the bucket holds what the ledger holds, once"):
        bucket, store = "first", w.path("store")
        with collector(store, "127.0.0.1:0", options(w, g.endpoint, bucket)) as c:
            w.send(c, knocks(now, 2000))
            wait(lambda: lines_in(g, bucket), records(store))
            equal(c.stop().code, 0, "exit")

    with tap.case("the same below Hive's folders, in virtual-hosted style"):
        bucket, store = "second", w.path("store")
        host = w.options("--s3-bucket", bucket, "--s3-endpoint", f"http://s3.localhost:{g.port}", "--deliver-layout", "hive-hourly")
        with collector(store, "127.0.0.1:0", host) as c:
            w.send(c, knocks(now, 300))
            wait(lambda: lines_in(g, bucket), records(store))
            equal(c.stop().code, 0, "exit")
        check(all("/aws-account-id=123456789012/aws-service=" in k for k in g.keys(bucket)), str(g.keys(bucket)))

    with tap.case("503, lost, cut, halved and slow answers, the gateway killed and started, the delivery killed: nothing is lost, nothing doubled"):
        bucket, store, proxy = "third", w.path("store"), Proxy(g)
        opts = options(w, proxy.endpoint, bucket)
        with collector(store, "127.0.0.1:0", opts) as c:
            proxy.faults += [503, "lost", "half", "slow"]
            w.send(c, knocks(now, 500))
            wait(lambda: lines_in(g, bucket), records(store))
            g.kill_gateway()
            w.send(c, knocks(now + 400, 500))
            c.wait_for("Empty reply|trying again", "err", count=2)
            g.start_gateway()
            wait(lambda: lines_in(g, bucket), records(store))
            proxy.faults += ["lost", "lost", "cut", 503]
            w.send(c, knocks(now + 800, 500))
            end = time.monotonic() + LIMIT
            while len(proxy.used) < 6:
                check(time.monotonic() < end, f"faults so far: {proxy.used}")
                time.sleep(.01)
            for pid in (c.p.pid, *children(c.p.pid)):
                os.kill(pid, 9)
            c.wait()
        with collector(store, "127.0.0.1:0", opts) as c:
            wait(lambda: lines_in(g, bucket), records(store))
            equal(c.stop().code, 0, "exit")
        equal(len(proxy.used), 8, f"faults that happened: {proxy.used}")
        equal(len(records(store)), 1500, "records")
        proxy.close()


def locks(tap, w, g):
    with tap.case("Object Lock: the version cannot be deleted before its time"):
        bucket = "locked"
        path = write(w.path("f"), b"evidence")
        with Drive(g.endpoint, bucket, f"credentials={w.keys}", "lock=compliance:2") as d:
            equal(d.put("a/b=c/x+y~.gz", path), "done", "put")
        equal(g.get(bucket, "a/b=c/x+y~.gz"), b"evidence", "bytes")
        versions = g.ask("GET", f"/{bucket}", "versions=")[0].decode()
        version = match("<VersionId>([^<]+)<", versions)[1]
        g.ask("DELETE", f"/{bucket}/a/b%3Dc/x%2By~.gz", f"versionId={version}", expect=(403,))
        match("<Mode>COMPLIANCE</Mode>", g.ask("GET", f"/{bucket}/a/b%3Dc/x%2By~.gz", "retention=")[0].decode())


def parts(tap, w, g):
    rng = random.Random(1)
    big = rng.randbytes(2 * PART + 12345)
    path = write(w.path("big"), big)
    digest = hashlib.sha256(big).hexdigest()

    with tap.case("40 MB go in parts; a second time they are found and compared"):
        bucket = "parts"
        with Drive(g.endpoint, bucket, f"credentials={w.keys}") as d:
            equal(d.put("big", path), "done", "put")
            equal(d.put("other", write(w.path("f"), b"x")), "done", "put")
        with Drive(g.endpoint, bucket, f"credentials={w.keys}") as d:
            equal(d.put("big", path), "done", "put again")
        equal(hashlib.sha256(g.get(bucket, "big")).hexdigest(), digest, "bytes")
        equal((g.keys(bucket), g.uploads(bucket)), ({"big": len(big), "other": 1}, []), "keys, uploads")

    with tap.case("another object under a name, small or large, is refused and stays"):
        for key, other in (("other", b"y"), ("other", b"long"), ("big", big[:-1] + b"?")):
            with Drive(g.endpoint, bucket, f"credentials={w.keys}") as d:
                match(rf"^refused: .*there is another object of /parts/{key}, and none is replaced", d.put(key, write(w.path("f"), other)))
        equal(hashlib.sha256(g.get(bucket, "big")).hexdigest(), digest, "bytes")

    with tap.case("the gateway killed between parts and within one: the upload goes on, one object, no upload is left"):
        bucket, proxy = "killed", Proxy(g)
        with Drive(proxy.endpoint, bucket, f"credentials={w.keys}") as d:
            for i in range(3):
                proxy.faults = ["slow"] * i + ["half"]
                d.ask(f"k{i}", path)
                end = time.monotonic() + LIMIT
                while "half" not in proxy.used:
                    check(time.monotonic() < end, "no part was sent")
                    time.sleep(.005)
                g.kill_gateway()
                check(d.answer().startswith("again"), "the try was not for nothing")
                g.start_gateway()
                d.until_done(f"k{i}", path)
                proxy.used.clear()
        equal(g.keys(bucket), {f"k{i}": len(big) for i in range(3)}, "keys")
        equal(g.uploads(bucket), [], "uploads")
        for i in range(3):
            equal(hashlib.sha256(g.get(bucket, f"k{i}")).hexdigest(), digest, "bytes")

    with tap.case("the uploader killed between parts: the next one aborts what it left, and no other upload"):
        bucket = "orphans"
        g.ask("POST", f"/{bucket}/big.other", "uploads=")
        with Drive(proxy.endpoint, bucket, f"credentials={w.keys}") as d:
            proxy.faults = ["slow", "half"]
            d.ask("big", path)
            end = time.monotonic() + LIMIT
            while "half" not in proxy.used:
                check(time.monotonic() < end, "no part was sent")
                time.sleep(.005)
            d.p.kill()
        equal(sorted(g.uploads(bucket)), ["big", "big.other"], "uploads left")
        with Drive(proxy.endpoint, bucket, f"credentials={w.keys}") as d:
            d.until_done("big", path)
        equal(g.uploads(bucket), ["big.other"], "uploads left")
        equal(hashlib.sha256(g.get(bucket, "big")).hexdigest(), digest, "bytes")
        proxy.close()


def clocks_and_sessions(tap, w, g):
    small = write(w.path("small"), b"small")
    with tap.case("a clock that is two hours off is mended; one that is two days off is not"):
        bucket = "clock"
        for off in (7200, -7200):
            with Drive(g.endpoint, bucket, f"credentials={w.keys}") as d:
                equal(d.put(f"small{off}", small, off), "done", "put")
        with Drive(g.endpoint, bucket, f"credentials={w.keys}") as d:
            match("differ by -?17[0-9]{4} s: set the clock", d.put("far", small, 172800))
        equal(sorted(g.keys(bucket)), ["small-7200", "small7200"], "keys")

    with tap.case("a wrong key is refused; a session's token is sent; one that does not hold is given up for the file's new one"):
        bucket = "session"
        wrong = w.keys_file(f"[default]\naws_access_key_id={rgw.ACCESS}\naws_secret_access_key=x\n")
        with Drive(g.endpoint, bucket, f"credentials={wrong}") as d:
            match("^refused: .* 403 (SignatureDoesNotMatch|AccessDenied)", d.put("a", small))
        access, secret, token = g.session()
        text = f"[default]\naws_access_key_id={access}\naws_secret_access_key={secret}\naws_session_token="
        keys = w.keys_file(text + token + "\n")
        with Drive(g.endpoint, bucket, f"credentials={keys}") as d:
            equal(d.put("b", small), "done", "with its token")
            write(keys, text + token[:-9] + "AAAAAAAAA\n")
        with Drive(g.endpoint, bucket, f"credentials={keys}") as d:
            check(d.put("c", small).startswith("refused"), "a token that is none was taken")
            write(keys, text + token + "\n")
            equal(d.put("c", small), "done", "with the new one")
        equal(sorted(g.keys(bucket)), ["b", "c"], "keys")


def main():
    tap = Tap()
    with folder() as d, rgw.gateway(d) as g:
        w = World(d, rgw.ACCESS, rgw.SECRET)
        # Now: once a gateway was killed, the others wait for it for half a minute before they make one.
        for name in ("first", "second", "third", "parts", "killed", "orphans", "clock", "session"):
            g.bucket(name)
        g.bucket("locked", lock=True)
        end_to_end(tap, w, g)
        locks(tap, w, g)
        parts(tap, w, g)
        clocks_and_sessions(tap, w, g)
    tap.done()


main()
