#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_aws.py BUILD_DIR   Deliveries to S3 and CloudWatch Logs at stand-ins that check signatures, digests and limits and fail on demand: what they
hold in the end is what the ledger gives, and no key is found where none belongs. Against Ceph and AWS's own models: make test-deliver."""
import contextlib
import functools
import gzip
import os
import random
import re
import signal
import stat
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TESTS, "lib"), os.path.join(TESTS, "golden")]
from harness import Daemon, Tap, build_dir, check, equal, folder, match, run, write  # noqa: E402
from pki import collector  # noqa: E402
from aws_world import ACCESS, IDENTITY, LIMIT, SECRET, World, children, knocks, records, to_logs, to_s3, wait  # noqa: E402
from standins import S3, Logs, Metadata, Refused  # noqa: E402

SANITIZED = os.path.basename(build_dir()) == "sanitize"
NAME = re.compile(r"AWSLogs/(123456789012)/(vpcflowlogs|flowproofcomplement|flowproofdns)/(eu-west-1)/(\d{4})/(\d\d)/(\d\d)/"
                  r"\1_\2_\3_fl-[0-9a-f]{17}_\4\5\6T\d{4}Z_[0-9a-f]+\.log\.gz")


def lines_of(s3):
    """The lines of all objects but the DNS log's, without headers, sorted."""
    found = []
    for key, body in list(s3.objects.items()):
        if "flowproofdns" not in key:
            found += gzip.decompress(body).decode().splitlines()[1:]
    return sorted(found)


def messages(logs):
    return sorted(m for events in list(logs.streams.values()) for _, m in events)


# ---- S3 ----------------------------------------------------------------------------------------------------------

def s3_cases(tap, w):
    now = int(time.time()) - 4000
    store = w.path("store")
    with tap.case("objects under AWS's names hold what the ledger holds; lock, key and digests are asked for"):
        s3 = S3()
        with collector(store, "127.0.0.1:0", w.options(*to_s3(s3), "--s3-object-lock", "governance:30", "--s3-kms", "alias/flow")) as c:
            w.send(c, knocks(now, 300))
            wait(lambda: lines_of(s3), records(store))
            equal(c.stop().code, 0, "exit")
        equal(len(records(store)), 300, "records")
        check(all(NAME.fullmatch(k) for k in s3.objects), f"names: {list(s3.objects)}")
        equal({NAME.fullmatch(k)[2] for k in s3.objects}, {"vpcflowlogs", "flowproofcomplement"}, "kinds")
        equal(s3.replaced, [], "replaced")
        for h in s3.headers.values():
            until = time.mktime(time.strptime(h["x-amz-object-lock-retain-until-date"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
            check(abs(until - time.time() - 30 * 86400) < 100, "retention")
            equal((h["x-amz-object-lock-mode"], h["x-amz-server-side-encryption"], h["x-amz-server-side-encryption-aws-kms-key-id"], h["if-none-match"]),
                  ("GOVERNANCE", "aws:kms", "alias/flow", "*"), "headers")
        s3.close()

    with tap.case("503, answers that are lost, connections that are cut, a server that is away: each object is there once"):
        s3 = S3()
        s3.fault("^PUT", Refused(503, "SlowDown", "Please reduce your request rate.", {"Retry-After": "1"}), "lost", "cut", Refused(500, "InternalError"))
        store = w.path("store")
        with collector(store, "127.0.0.1:0", w.options(*to_s3(s3))) as c:
            w.send(c, knocks(now, 200))
            wait(lambda: lines_of(s3), records(store))
            match(r"SlowDown: Please reduce your request rate\.; trying again", c.text("err"))
            c.wait_for("delivering again", "err")
            port = s3.port
            s3.close()
            w.send(c, knocks(now + 400, 200))
            c.wait_for("s3: .*(refused|Failed to connect|Couldn't connect|Connection|Empty reply)", "err", count=1)
            again = S3(port)
            again.objects, again.headers, again.replaced = s3.objects, s3.headers, s3.replaced
            wait(lambda: lines_of(again), records(store))
            equal(c.stop().code, 0, "exit")
        equal(again.replaced, [], "replaced")
        equal([f for f in s3.faults], [], "faults that did not happen")
        check(any(what.startswith("HEAD") for what, _ in s3.seen), "what was there was not compared")
        again.close()

    with tap.case("kill -9 while an answer is waited for: the next start goes on, nothing is missing and nothing twice"):
        s3 = S3()
        store = w.path("store")
        options = w.options(*to_s3(s3))
        s3.fault("^PUT", "lost", "hang")
        with collector(store, "127.0.0.1:0", options) as c:
            w.send(c, knocks(now, 200))
            w.send(c, knocks(now + 600, 100))
            check(s3.busy.wait(LIMIT), "no request hangs")
            pids = [c.p.pid, *children(c.p.pid)]
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            c.wait()
        s3.release.set()
        with collector(store, "127.0.0.1:0", options) as c:
            wait(lambda: lines_of(s3), records(store))
            equal(c.stop().code, 0, "exit")
        equal((len(records(store)), s3.replaced), (300, []), "records, replaced")
        s3.close()

    with tap.case("a clock that is wrong is told, and requests are signed with the server's time; none beyond a day"):
        s3 = S3()
        s3.skew = 7200
        store = w.path("store")
        with collector(store, "127.0.0.1:0", w.options(*to_s3(s3))) as c:
            w.send(c, knocks(now, 50))
            wait(lambda: lines_of(s3), records(store))
            match(r"this machine's clock is 7(199|200|201) s behind theirs: requests are signed with their time until the collector ends; set the clock",
                  c.text("err"))
            s3.skew = 200000
            w.send(c, knocks(now + 400, 50))
            c.wait_for(r"clock and theirs differ by (199999|200000|200001) s: set the clock", "err")
            equal(c.stop().code, 0, "exit")
        s3.close()

    with tap.case("what is not allowed is told at once, as what the operator must mend"):
        s3 = S3()
        store = w.path("store")
        s3.fault("^PUT", Refused(403, "AccessDenied", "Access Denied"))
        with collector(store, "127.0.0.1:0", w.options(*to_s3(s3))) as c:
            w.send(c, knocks(now, 1, dport=80))
            c.wait_for(r"403 AccessDenied: Access Denied; nothing is lost: it is tried again each 60 s", "err")
            equal(c.stop().code, 0, "exit")
        equal(s3.objects, {}, "objects")
        s3.close()


def parts_cases(tap, w):
    rng = random.Random(3)
    big = rng.randbytes(16 * 1024 * 1024 + 5)
    path, small = write(w.path("big"), big), write(w.path("small"), b"small")
    s3 = S3()
    p = subprocess.Popen([os.path.join(build_dir(), "tests/deliver/aws_drive"), "s3", s3.endpoint, "evidence", f"credentials={w.keys}"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def put(key, path):
        p.stdin.write(f"{key} {path} 0\n")
        p.stdin.flush()
        return p.stdout.readline().rstrip("\n")

    with tap.case("in parts: a part that fails is sent again, an end whose answer is lost or says in a good answer that it failed is found out"):
        s3.fault("^PUT .*partNumber=2", Refused(503, "SlowDown"))
        s3.fault("^POST .*uploadId", Refused(200, "InternalError", "We encountered an internal error."), "lost")
        # libcurl itself asks again where a connection that it kept ends without an answer: that end is asked for twice.
        for want in (f"again: {s3.endpoint}: PUT /evidence/big: 503 SlowDown", f"again: {s3.endpoint}: the parts of /evidence/big were not put together",
                     f"again: {s3.endpoint}: POST /evidence/big: 404 NoSuchUpload", "done"):
            equal(put("big", path)[:len(want)], want, "a try")
        check(s3.objects["big"] == big, "bytes")
        equal((s3.uploads, s3.replaced, s3.faults), ({}, [], []), "uploads, replaced, faults")
        equal(len([1 for what, n in s3.seen if n == 16 * 1024 * 1024]), 1, "times that the first part was sent")
    with tap.case("an upload that is gone begins anew; what is there in the end, by another hand too, is compared"):
        s3.fault("^PUT .*partNumber=2", Refused(404, "NoSuchUpload", "The specified multipart upload does not exist."))
        equal([put("new", path)[:5] for _ in range(2)], ["again", "done"], "tries")
        s3.fault("^HEAD", Refused(403, ""))
        match("there is another object of /evidence/small", (put("small", small), put("other", small), put("small", path))[2])
        check(s3.objects["small"] == b"small", "it was replaced")
        s3.faults.clear()
    p.stdin.close()
    p.wait(LIMIT)
    s3.close()


# ---- CloudWatch Logs ---------------------------------------------------------------------------------------------

def logs_cases(tap, w):
    now = int(time.time()) - 4000
    with tap.case("a stream an interface, made when it is missing; events are the ledger's lines at their start"):
        logs = Logs()
        store = w.path("store")
        with collector(store, "127.0.0.1:0", w.options(*to_logs(logs))) as c:
            w.send(c, knocks(now, 300))
            wait(lambda: messages(logs), records(store))
            equal(c.stop().code, 0, "exit")
        equal(sorted(logs.streams), [("flow/logs", "eni-0123456789abcdef0-all"), ("flow/logs", "eni-0123456789abcdef0-complement")], "streams")
        equal({k[1][22:]: len(v) for k, v in logs.streams.items()}, {"all": 299, "complement": 1}, "events")
        for events in logs.streams.values():
            check(all(ms == int(m.split()[10]) * 1000 for ms, m in events), "a time is not the start of its record")
        logs.close()

    with tap.case("throttled, unavailable, away: every event is there once; one whose answer is lost is there twice, and only that batch"):
        logs = Logs()
        store = w.path("store")
        with collector(store, "127.0.0.1:0", w.options(*to_logs(logs))) as c:
            w.send(c, knocks(now, 10))
            wait(lambda: messages(logs), records(store))
            logs.fault("PutLogEvents", Refused(400, "ThrottlingException", "Rate exceeded"), Refused(503, "ServiceUnavailableException"), "cut")
            w.send(c, knocks(now + 300, 10))
            wait(lambda: messages(logs), records(store))
            match("ThrottlingException: Rate exceeded; trying again", c.text("err"))
            before = messages(logs)
            logs.fault("PutLogEvents", "lost")
            w.send(c, knocks(now + 600, 10)[1:])
            twice = [r for r in records(store) if r not in before]
            wait(lambda: messages(logs), sorted(records(store) + twice))
            w.send(c, knocks(now + 900, 10)[1:], *IDENTITY[:4])
            wait(lambda: messages(logs), sorted(records(store) + twice))
            equal(c.stop().code, 0, "exit")
        equal({s for _, s in logs.streams if "eni" not in s}, {"one-file-all"}, "the stream without an interface's id")
        logs.close()


def more_logs_cases(tap, w):
    now = int(time.time()) - 4000
    with tap.case("a batch is never larger, longer or later than allowed: 25,000 events over three days"):
        logs = Logs()
        store = w.path("store")
        with collector(store, "127.0.0.1:0", w.options(*to_logs(logs))) as c:
            w.send(c, [p for day in range(3) for p in knocks(now - 86400 * day, 8000)])
            w.send(c, knocks(now + 100, 1000))
            wait(lambda: messages(logs), records(store))
            equal(c.stop().code, 0, "exit")
        equal(len([m for m in messages(logs) if m.endswith(" OK")]), 25000, "events beside NODATA")
        check(max(n for _, n, _ in logs.calls) > 5000, f"batches are small: {logs.calls}")
        logs.close()

    with tap.case("events that a good answer refuses are told by number, and the rest is delivered"):
        logs = Logs()
        store = w.path("store")
        with collector(store, "127.0.0.1:0", w.options(*to_logs(logs))) as c:
            w.send(c, knocks(now - 15 * 86400, 21)[1:])
            w.send(c, knocks(now, 6)[1:])
            c.wait_for("20 events were not taken: 20 too old", "err")
            w.send(c, knocks(now + 20000, 4)[1:])
            c.wait_for("3 events were not taken: 0 too old .*, 3 more than two hours ahead", "err")
            equal(c.stop().code, 0, "exit")
        equal(len(messages(logs)), 5, "events")
        logs.close()


    with tap.case("lines of a host's log file: a stream of their own, byte for byte, what is not UTF-8 marked"):
        logs = Logs()
        store, log = w.path("store"), w.path("auth.log")
        texts = ["first", "", "caf\u00e9 \u65e5\u672c", 'quotes " and \\', "\ttab"] + [f"line {i}" for i in range(500)]
        write(log, "")
        with collector(store, "127.0.0.1:0", w.options(*to_logs(logs))) as c:
            with Daemon("flowproof-sensor", "-i", "lo", "-f", "udp port 9", "-s", c.address, "--id", "one", *w.pki.options("one"), "--tail", log) as s:
                s.wait_for("uplink: connected", "err")
                with open(log, "ab") as f:
                    f.write(("\n".join(texts) + "\n").encode() + b"broken \xff\xfe byte\n")
                want = [t or " " for t in texts] + ["broken \ufffd\ufffd byte"]
                where = ("flow/logs", "one" + log)
                wait(lambda: [m for _, m in logs.streams.get(where, [])], want)
                s.stop()
            equal(c.stop().code, 0, "exit")
        check(all(abs(ms - time.time() * 1000) < 100000 for ms, _ in logs.streams[where]), "times")
        logs.close()


# ---- credentials -------------------------------------------------------------------------------------------------

def readable_memory(pid):
    """What a core of the process would hold."""
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as f:
        areas, area = [], None
        for line in f:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (r)", line)
            if m:
                area = (int(m[1], 16), int(m[2], 16))
            elif re.match(r"[0-9a-f]+-", line):
                area = None
            elif line.startswith("VmFlags:") and area and " dd" not in line:
                areas.append(area)
    with open(f"/proc/{pid}/mem", "rb", 0) as f:
        for begin, end in areas:
            with contextlib.suppress(OSError, OverflowError):
                f.seek(begin)
                yield f.read(end - begin)


def search(c, secrets):
    """Where the secrets are found that they must not be, in all processes of a collector."""
    found = []
    for pid in (c.p.pid, *children(c.p.pid)):
        for name in ("environ", "cmdline"):
            with open(f"/proc/{pid}/{name}", "rb") as f:
                text = f.read()
                found += [(pid, name, s) for s in secrets if s.encode() in text]
        for area in readable_memory(pid):
            found += [(pid, "memory", s) for s in secrets if s.encode() in area]
    found += [("log", s) for s in secrets if s in c.text()]
    return found


@contextlib.contextmanager
def environment(**values):
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            del os.environ[name]


def credential_cases(tap, w):
    now = int(time.time()) - 4000
    token = "SessionTokenPlantedInTheTest/+=" * 8
    with tap.case("keys and token of the environment: in no process's environment, command line, memory that a core has, nor in the log"):
        s3 = S3(keys={"ASIATESTTEST": ("AnotherPlantedSecret0123456789abcdefghij", token)})
        store = w.path("store")
        with environment(AWS_ACCESS_KEY_ID="ASIATESTTEST", AWS_SECRET_ACCESS_KEY="AnotherPlantedSecret0123456789abcdefghij", AWS_SESSION_TOKEN=token):
            c = collector(store, "127.0.0.1:0", w.options(*to_s3(s3), "--alert-file", w.path("alerts"), "--deliver-files", w.path("files"), keys=False))
        with c:
            w.send(c, knocks(now, 50))
            wait(lambda: lines_of(s3), records(store))
            c.wait_for("credentials of the environment", "err")
            check(any(where[1] == "memory" for where in search(c, ("evidence",))), "the search finds nothing at all")
            # The address sanitizer's runtime keeps a copy of the environment.
            found = [f for f in search(c, ("AnotherPlantedSecret0123456789abcdefghij", token)) if not (SANITIZED and f[1] == "memory")]
            equal(found, [], "found")
            equal(len(children(c.p.pid)), 4, "processes")
            for pid in children(c.p.pid):
                with open(f"/proc/{pid}/limits", encoding="utf-8") as f:
                    equal(re.search(r"Max core file size +(\d+)", f.read())[1], "0", "a core could be written")
            equal(c.stop().code, 0, "exit")
        s3.close()

    with tap.case("a file's keys likewise; a file that others may read, and each line that is none, is refused with its name and number"):
        s3 = S3()
        store = w.path("store")
        with collector(store, "127.0.0.1:0", w.options(*to_s3(s3))) as c:
            w.send(c, knocks(now, 50))
            wait(lambda: lines_of(s3), records(store))
            equal(search(c, (SECRET,)), [], "found")
            equal(c.stop().code, 0, "exit")
        s3.close()
        for text, mode, want in (
                (None, 0o640, r"is open to others than its owner \(mode 0640\): chmod 600"),
                (None, 0o604, r"is open to others than its owner \(mode 0604\): chmod 600"),
                (f"[default]\naws_access_key_id={ACCESS}\n{SECRET}\n", 0o600, r"credentials:3: not a line as `aws_access_key_id = \.\.\.`"),
                (f"[default]\nrole_arn={SECRET}\n", 0o600, r"credentials:2: only aws_access_key_id, .* are understood"),
                (f"aws_access_key_id={ACCESS}\naws_secret_access_key={SECRET} x\n", 0o600, r"credentials:2: the value is empty, too long or not printable"),
                (f"[other]\naws_access_key_id={ACCESS}\naws_secret_access_key={SECRET}\n", 0o600, "is missing in \\[default\\]")):
            path = w.keys_file(mode=mode) if text is None else w.keys_file(text, mode)
            p = run("flowproof-collector", "-d", w.path("s"), "-l", "127.0.0.1:0", *w.options("--s3-bucket", "abc", "--aws-credentials", path, keys=False), "--check").expect(2)
            match(want, p.err)
            check(SECRET not in p.err, "the key is in the error")

    with tap.case("the instance's role by IMDSv2: keys that expire are fetched again before, and when they are refused"):
        keys = ("ASIAROLEONE", "RoleSecretOne0123456789abcdefghijklmnopqr", "RoleTokenOne" * 20)
        imds, s3 = Metadata(keys, seconds=200), S3(keys={keys[0]: keys[1:]})
        store = w.path("store")
        with environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.endpoint):
            c = collector(store, "127.0.0.1:0", w.options(*to_s3(s3), keys=False))
        with c:
            w.send(c, knocks(now, 50))
            wait(lambda: lines_of(s3), records(store))
            once = imds.given
            new = ("ASIAROLETWO", "RoleSecretTwo0123456789abcdefghijklmnopqr", "RoleTokenTwo" * 20)
            imds.now_keys, s3.keys = new, {new[0]: new[1:], keys[0]: (keys[1], "expired")}
            w.send(c, knocks(now + 400, 50))
            wait(lambda: lines_of(s3), records(store))
            check(imds.given > once >= 1, f"{once}, {imds.given} times")
            equal(search(c, (keys[1], keys[2], new[1], new[2])), [], "found")
            equal(c.stop().code, 0, "exit")
        imds.close()
        s3.close()


# ---- settings ----------------------------------------------------------------------------------------------------

def setting_cases(tap, w):
    with tap.case("settings that cannot work are refused by name"):
        for options, want in (
                (("--s3-bucket", "Not_A_Bucket"), "--s3-bucket Not_A_Bucket: a bucket's name has"),
                (("--s3-bucket", "abc", "--s3-endpoint", "http://192.0.2.1:80"), "--s3-endpoint http://192.0.2.1:80: records and session tokens would go in clear text"),
                (("--s3-bucket", "abc", "--s3-endpoint", "http://127.0.0.1.example.com:80"), "would go in clear text"),
                (("--s3-bucket", "abc", "--s3-endpoint", "https://h/path"), "--s3-endpoint https://h/path: it is written as https://host:port"),
                (("--s3-bucket", "abc", "--s3-object-lock", "compliance:0"), "--s3-object-lock compliance:0: it is written as"),
                (("--s3-bucket", "abc", "--s3-kms", "a b"), "--s3-kms a b: it is the id or ARN"),
                (("--s3-bucket", "abc", "--aws-region", "Mars"), "--aws-region is missing or none"),
                (("--cloudwatch-group", "a:b"), "--cloudwatch-group a:b: a group's name"),
                (("--s3-bucket", "abc", "--aws-credentials", "/nonexistent"), "the file of credentials /nonexistent cannot be opened")):
            p = run("flowproof-collector", "-d", w.path("s"), "-l", "127.0.0.1:0", *w.options(*options), "--check").expect(2, 3)
            check(want in p.err, f"{options}: {p.err}")


    with tap.case("... in a file, with its name and the line"):
        for text, want in (("\n# S3\ns3-bucket = Not_A_Bucket\n", ":3: s3-bucket Not_A_Bucket: a bucket's name has"),
                           ("s3-bucket = abc\ns3-endpoint = http://192.0.2.1\n", ":2: s3-endpoint http://192.0.2.1: records and"),
                           ("cloudwatch-group = a:b\n", ":1: cloudwatch-group a:b: a group's name"),
                           ("s3-bucket = abc\ncloudwatch-every-s = 0\n", ":2: cloudwatch-every-s 0: allowed are 1 to 86400"),
                           ("s3-bukket = abc\n", ":1: unknown setting 's3-bukket': did you mean 's3-bucket'?")):
            conf = write(w.path("collector.conf"), text)
            p = run("flowproof-collector", "-c", conf, "-d", w.path("s"), "-l", "127.0.0.1:0", *w.options(), "--check").expect(2)
            check(conf + want in p.err, f"{text!r}: {p.err}")


def main():
    tap = Tap()
    with folder() as d:
        w = World(d)
        check(stat.S_IMODE(os.stat(w.keys).st_mode) == 0o600, "mode")
        tap.together(*(functools.partial(lambda f, t: f(t, w), f) for f in (s3_cases, parts_cases, logs_cases, more_logs_cases, credential_cases, setting_cases)))
    tap.done()


main()
