# SPDX-License-Identifier: Apache-2.0
"""A stand-in for EC2's instance metadata service, version 2 of its protocol, as the EC2 User Guide describes it.

Serves a tree of paths below /latest/. What it does beside answering is a mode, which may change while it runs.
"""
import socket
import threading

import net

V4, V6 = "169.254.169.254", "fd00:ec2::254"


def tree(instance, interfaces):
    """The paths of a machine. `interfaces`: {mac: {item: text}}; what an item has not is a 404."""
    paths = {"meta-data/" + k: v for k, v in instance.items()}
    paths["meta-data/network/interfaces/macs/"] = "\n".join(mac + "/" for mac in interfaces)
    for mac, items in interfaces.items():
        for k, v in items.items():
            paths[f"meta-data/network/interfaces/macs/{mac}/{k}"] = v
    return paths


class Imds:
    """with Imds(namespace, paths, mode=...) as s: a server at both addresses, which must be the namespace's.

    Modes: "" answers and keeps connections; "close" ends each with its answer; "expire" forgets the first token at the third read;
    "off" refuses with 403; "silent" takes requests and says nothing; "trickle" a byte a while; "garbage" what is no HTTP; "endless" a body
    without end; "bad" values without their form; "unreachable" no listener at all.
    """

    def __init__(self, namespace, paths, mode="", families=(4, 6)):
        self.paths, self.mode, self.ended = paths, mode, False
        self.changed = threading.Condition()
        self.asked = []  # (method, path, status), and from which port
        self.ports = set()
        self.tokens, self.given = set(), 0
        self.listeners, self.threads = [], []
        for family in families if mode != "unreachable" else ():
            af, at = (socket.AF_INET, V4) if family == 4 else (socket.AF_INET6, V6)
            s = net.sock(namespace, af, socket.SOCK_STREAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((at, 80))
            s.listen(16)
            self.listeners.append(s)
            self.threads.append(threading.Thread(target=self._accept, args=(s,), daemon=True))
            self.threads[-1].start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.ended = True
        for s in self.listeners:
            s.shutdown(socket.SHUT_RDWR)  # ends accept(), which holds the socket open
        for t in self.threads:
            t.join(30)
        for s in self.listeners:
            s.close()

    def wait_asked(self, n, limit=30):
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.asked) >= n, limit):
                raise AssertionError(f"asked {len(self.asked)} times, not {n}")

    def _accept(self, listener):
        while not self.ended:
            try:
                s, peer = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s, peer), daemon=True).start()

    def _serve(self, s, peer):
        s.settimeout(30)
        try:
            with s:
                rest = b""
                while not self.ended:
                    while b"\r\n\r\n" not in rest:
                        more = s.recv(4096)
                        if not more:
                            return
                        rest += more
                    head, rest = rest.split(b"\r\n\r\n", 1)
                    if not self._answer(s, peer, head.decode("ascii").split("\r\n")):
                        return
        except OSError:
            pass

    def _answer(self, s, peer, lines):
        method, path, version = lines[0].split(" ")
        headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        status, body = self._status(method, path, version, headers)
        with self.changed:
            self.asked.append((method, path, status))
            self.ports.add(peer[1])
            self.changed.notify_all()
        if self.mode in ("silent", "trickle", "garbage", "endless"):
            return self._misbehave(s)
        closes = self.mode == "close"
        s.sendall((f"HTTP/1.1 {status} X\r\nContent-Type: text/plain\r\nServer: EC2ws\r\n" + ("Connection: close\r\n" if closes else "") +
                   f"Content-Length: {len(body)}\r\n\r\n{body}").encode("ascii"))
        return not closes

    def _misbehave(self, s):
        if self.mode == "garbage":
            s.sendall(b"\x16\x03\x03 no HTTP at all\r\n\r\n")
            return False
        if self.mode == "endless":
            s.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while not self.ended:
                s.sendall(b"x" * 65536)
        mode = self.mode
        while not self.ended and self.mode == mode:
            if mode == "trickle":
                s.sendall(b"H")
            with self.changed:
                self.changed.wait(0.2)
        return False

    def _status(self, method, path, version, headers):
        if self.mode == "off":
            return 403, ""
        if version != "HTTP/1.1" or "host" not in headers or not path.startswith("/latest/"):
            return 400, ""
        path = path[len("/latest/"):]
        if method == "PUT":
            if path != "api/token" or "x-forwarded-for" in headers:
                return 403, ""
            ttl = headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
            if not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
                return 400, ""
            self.given += 1
            token = f"AQAEAL{self.given:050d}=="
            self.tokens.add(token)
            return 200, token
        if method != "GET":
            return 405, ""
        if headers.get("x-aws-ec2-metadata-token") not in self.tokens:
            return 401, ""
        if self.mode == "expire" and self.given == 1 and sum(a[0] == "GET" for a in self.asked) == 2:
            self.tokens.clear()
            return 401, ""
        if path not in self.paths:
            return 404, "<html>Not Found</html>"
        return 200, "<b>bad</b> \x01" if self.mode == "bad" and not path.endswith("macs/") else self.paths[path]
