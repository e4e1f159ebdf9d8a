# SPDX-License-Identifier: Apache-2.0
"""Three NATS servers on loopback with TLS both ways, as one JetStream, and a TCP balancer."""
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import urllib.request

from harness import write
from world import Proxy, free_port, wait_until

CONFIG = """server_name: n{n}
listen: 127.0.0.1:{port}
http: 127.0.0.1:{http}
tls {{
  cert_file: "{d}/server.pem"
  key_file: "{d}/server.key"
  ca_file: "{d}/ca.pem"
  verify: true
}}
jetstream {{
  store_dir: "{d}/n{n}"
  max_file_store: 2GB
}}
cluster {{
  name: flowproof
  listen: 127.0.0.1:{route}
  tls {{
    cert_file: "{d}/server.pem"
    key_file: "{d}/server.key"
    ca_file: "{d}/ca.pem"
    verify: true
  }}
  routes: [ {routes} ]
}}
"""


def certificates(d):
    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=d)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=NATS CA")
    for name in ("server", "client"):
        write(os.path.join(d, f"{name}.ext"), b"subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-out", f"{name}.pem",
                "-extfile", f"{name}.ext")


class Cluster:
    def __init__(self, d, n=3):
        self.d = d
        os.makedirs(d)
        certificates(d)
        self.ports = [free_port() for _ in range(n)]
        self.http = [free_port() for _ in range(n)]
        routes = [free_port() for _ in range(n)]
        self.servers = [None] * n
        for i in range(n):
            write(self.config(i), CONFIG.format(n=i, d=d, port=self.ports[i], http=self.http[i], route=routes[i],
                                                routes=", ".join(f'"nats-route://127.0.0.1:{r}"' for r in routes)).encode())
            self.start(i)

    def config(self, i):
        return os.path.join(self.d, f"n{i}.conf")

    def start(self, i):
        with open(os.path.join(self.d, f"n{i}.log"), "ab") as log:
            self.servers[i] = subprocess.Popen(["nats-server", "-c", self.config(i)], stdout=log, stderr=log)

    def kill(self, i):
        self.servers[i].send_signal(signal.SIGKILL)
        self.servers[i].wait()

    def ask(self, i, what):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http[i]}/{what}", timeout=5) as answer:
            return json.load(answer)

    def leader_of_stream(self, name):
        """The number of the server that leads it; None while there is none."""
        for i in range(len(self.servers)):
            try:
                for account in self.ask(i, "jsz?streams=true").get("account_details", []):
                    for stream in account.get("stream_detail", []):
                        if stream["name"] == name and stream.get("cluster", {}).get("leader"):
                            return int(stream["cluster"]["leader"][1:])
            except OSError:
                continue
        return None

    def consumers(self, name):
        for i in range(len(self.servers)):
            for account in self.ask(i, "jsz?streams=true").get("account_details", []):
                for stream in account.get("stream_detail", []):
                    if stream["name"] == name:
                        return stream["state"]["consumer_count"]
        return 0

    def ready(self):
        def is_up(i):
            try:
                return self.ask(i, "healthz")["status"] == "ok" and self.ask(i, "jsz").get("meta_cluster", {}).get("leader")
            except OSError:
                return False
        wait_until(lambda: all(is_up(i) for i in range(len(self.servers))), "JetStream is up")
        return self

    def options(self, direction):
        ret = []
        for port in self.ports:
            ret += [f"--{direction}-jetstream", f"tls://127.0.0.1:{port}"]
        return [*ret, "--jetstream-ca", f"{self.d}/ca.pem", "--jetstream-cert", f"{self.d}/client.pem", "--jetstream-key", f"{self.d}/client.key"]

    def wipe(self):
        """All servers are killed and have lost what they held: more than a power failure takes."""
        for i in range(len(self.servers)):
            self.kill(i)
            shutil.rmtree(os.path.join(self.d, f"n{i}"))

    def close(self):
        for s in self.servers:
            if s.poll() is None:
                s.kill()
            s.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Balancer(Proxy):
    """Hands each connection to the next of the addresses that takes it, and cuts it after as many bytes up as `limits` says in turn."""

    def __init__(self, addresses, limits=()):
        self.turn = itertools.cycle(addresses)
        self.n = len(addresses)
        self.lock = threading.Lock()
        super().__init__(addresses[0], limits)

    def serve(self, client, limit):
        for _ in range(self.n):
            with self.lock:
                host, port = next(self.turn).rsplit(":", 1)
            try:
                server = socket.create_connection((host, int(port)), 5)
            except OSError:
                continue
            server.settimeout(None)
            threads = [threading.Thread(target=self.pump, args=(a, b, left, False), daemon=True) for a, b, left in ((client, server, limit), (server, client, None))]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            server.close()
            break
        client.close()
