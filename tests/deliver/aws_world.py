# SPDX-License-Identifier: Apache-2.0
"""What the suites of deliveries to AWS share."""
import os
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "lib"), os.path.join(os.path.dirname(HERE), "golden")]
from harness import check, run, write  # noqa: E402
from pki import Pki  # noqa: E402
from standins import KEYS  # noqa: E402
import make_captures as make  # noqa: E402

LIMIT = 30
ME = "10.0.0.5"
ACCESS, SECRET = "AKIDTESTTEST", KEYS["AKIDTESTTEST"][0]
IDENTITY = ("--field", "account-id=123456789012", "--field", "region=eu-west-1", "--field", "interface-id=eni-0123456789abcdef0")


def knocks(at, n, dport=443, sport=2000):
    """SYNs that nobody answers, each a flow and so a record of its own; one to the metadata service, which Flow Logs do not record."""
    return [make.tcp_packet(make.ns(at + i % 50), ME, "169.254.169.254" if i == 0 else f"198.51.{i // 250}.{1 + i % 250}", sport + i % 50000, dport, make.SYN)
            for i in range(n)]


class World:
    """Keys of the sensor's and the collector's, a file of AWS keys, and paths below a folder."""

    def __init__(self, d, access=ACCESS, secret=SECRET):
        self.d, self.n, self.access, self.secret = d, 0, access, secret
        self.lock = threading.Lock()
        self.pki = Pki(os.path.join(d, "keys"))
        self.pki.issue("one")
        self.keys = self.keys_file()

    def path(self, name):
        """A new path, in a folder in which the collector's user may make files."""
        with self.lock:
            self.n += 1
            d = os.path.join(self.d, str(self.n))
        os.makedirs(d)
        os.chmod(d, 0o777)
        return os.path.join(d, name)

    def keys_file(self, text=None, mode=0o600):
        path = write(self.path("credentials"), text or f"# a comment\n[default]\naws_access_key_id = {self.access}\n"
                     f"aws_secret_access_key={self.secret}\n[other]\nrole_arn = x\n")
        os.chmod(path, mode)
        return path

    def options(self, *options, keys=True):
        return [*self.pki.options("collector"), "--deliver-state", self.path("state"), "--deliver-every-s", "1", "--deliver-late-s", "0", "--cloudwatch-every-s",
                "1", "--aws-region", "us-east-1", *(("--aws-credentials", self.keys) if keys else ()), *options]

    def send(self, c, packets, *options):
        """A replay, acknowledged to its last batch."""
        capture = write(self.path("pcap"), make.pcap(sorted(packets, key=lambda p: p.ns)))
        run("flowproof-sensor", "-r", capture, "-s", c.address, "--id", "one", *self.pki.options("one"), *(options or IDENTITY), limit=30).expect(0)


def to_s3(s3):
    return ["--s3-bucket", "evidence", "--s3-endpoint", s3.endpoint, "--s3-path-style"]


def to_logs(logs):
    return ["--cloudwatch-group", "flow/logs", "--cloudwatch-endpoint", logs.endpoint]


def records(store):
    """What the ledger gives, as text lines without the header, sorted."""
    return sorted(run("flowproof", "records", "-d", store).expect(0).out.splitlines()[1:])


def wait(what, want, limit=LIMIT):
    """Until what() is `want`; then it is left alone for long enough that a further pass would show."""
    end = time.monotonic() + limit
    while what() != want:
        check(time.monotonic() < end, f"{len(what())} of {len(want)} within {limit} s")
        time.sleep(.02)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(x) for x in f.read().split()]
