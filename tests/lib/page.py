# SPDX-License-Identifier: Apache-2.0
"""The live page as a program sees it: requests by http.client, and a reader of server-sent events."""
import http.client
import json
import socket
import threading
import time

from harness import check
from pki import collector


def start(store, pki, *options, http="127.0.0.1:0", prefix=()):
    """A collector with a page; `.page` is its address, (host, port)."""
    c = collector(store, "127.0.0.1:0", [*pki.options("collector"), "--http", http, *options], prefix=prefix)
    try:
        host, port = c.wait_for(r"page: at http://(\S+)/", "err")[0][1].rsplit(":", 1)
    except BaseException:
        c.kill()
        raise
    c.page = ("127.0.0.1" if host == "0.0.0.0" else host.strip("[]"), int(port))
    return c


def get(page, path, headers=None, method="GET", limit=20):
    """(status, headers in lower case, body)"""
    h = http.client.HTTPConnection(*page, timeout=limit)
    try:
        h.request(method, path, headers=headers or {})
        r = h.getresponse()
        return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()
    finally:
        h.close()


def raw(page, data, limit=20):
    """All that comes back for these bytes."""
    with socket.create_connection(page, timeout=limit) as s:
        s.sendall(data)
        got = b""
        while part := s.recv(65536):
            got += part
        return got


def until(what, limit=20):
    """Asks `what` until it is true: its answer."""
    end = time.monotonic() + limit
    while not (got := what()):
        check(time.monotonic() < end, f"not so within {limit} s: {what}")
        time.sleep(0.02)
    return got


class Events:
    """Reads /events in a thread: `events` are (id, {section: HTML}, bytes as they came)."""

    def __init__(self, page, query="", headers=()):
        self.s = socket.create_connection(page, timeout=30)
        head = "".join(f"{k}: {v}\r\n" for k, v in headers)
        self.s.sendall(f"GET /events{query} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())
        self.events, self.comments, self.retry, self.head, self.ended = [], 0, None, b"", False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        rest = b""
        try:
            while part := self.s.recv(65536):
                rest += part
                with self.changed:
                    if not self.head:
                        if b"\r\n\r\n" not in rest:
                            continue
                        self.head, rest = rest.split(b"\r\n\r\n", 1)
                    while b"\n\n" in rest:
                        block, rest = rest.split(b"\n\n", 1)
                        self._take(block)
                    self.changed.notify_all()
        except OSError:
            pass
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def _take(self, block):
        """WHATWG HTML, "Interpreting an event stream"."""
        fields = {}
        for line in block.decode().split("\n"):
            if line.startswith(":"):
                self.comments += 1
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            fields[name] = fields[name] + "\n" + value if name in fields else value
        if "retry" in fields:
            self.retry = int(fields["retry"])
        if "data" in fields:
            check(fields.get("event") == "state", f"an event of the kind {fields.get('event')}")
            self.events.append((int(fields["id"]), json.loads(fields["data"]), block))

    def wait(self, what, limit=20):
        """Until what(self) is true."""
        end = time.monotonic() + limit
        with self.changed:
            while not (got := what(self)):
                left = end - time.monotonic()
                check(left > 0 and not self.ended, f"not so {'before the end' if self.ended else f'within {limit} s'}: {[e[0] for e in self.events]}")
                self.changed.wait(left)
            return got

    def sections(self):
        """What stands on the page after all that came."""
        ret = {}
        for _, data, _ in self.events:
            ret.update(data)
        return ret

    def close(self):
        try:
            self.s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.s.close()
        self.thread.join(5)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
