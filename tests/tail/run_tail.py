#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_tail.py BUILD_DIR   Log files of the host in the ledger: byte for byte, followed when they are rotated, told when they are wiped.

One sensor follows a file for each story. The files and their folder are root's alone (0600 in 0700), the sensor is user 65534: what it
reads after a rotation it has from the process that opens files for it. What must be in the ledger is what this test wrote.
"""
import gzip
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Daemon, Tap, build_dir, check, equal, folder, match, program, run  # noqa: E402
import net  # noqa: E402
from pki import Pki, collector  # noqa: E402

LINE_MAX, RATE_KIB = 4096, 512
SANITIZED = os.path.basename(build_dir()) == "sanitize"


def until(what, condition, limit=40):
    end = time.monotonic() + limit
    while not condition():
        check(time.monotonic() < end, f"not within {limit} s: {what}")
        time.sleep(0.1)


class World:
    def __init__(self, d, ns):
        self.d, self.ns = d, ns
        self.pki = Pki(os.path.join(d, "keys"))
        self.logs = os.path.join(d, "log")
        os.mkdir(self.logs, 0o700)

    def path(self, name):
        return os.path.join(self.logs, name)

    def collector(self, store, listen="127.0.0.1:0"):
        return collector(store, listen, self.pki.options("collector"), prefix=net.prefix(self.ns))

    def sensor(self, name, address, *args):
        if not os.path.exists(self.pki.pair(name)[0]):
            self.pki.issue(name)
        s = Daemon("flowproof-sensor", "-i", "lo", "-s", address, "--id", name, *self.pki.options(name), *args, prefix=net.prefix(self.ns))
        s.wait_for("uplink: connected", "err")
        return s


def append(path, data):
    with open(path, "ab") as f:
        f.write(data)
    os.chmod(path, 0o600)


def got(store, path, *args):
    return run("flowproof", "logs", "-d", store, "--file", path, *args).expect(0).out_bytes


def pieces(store, path):
    return [json.loads(line) for line in got(store, path, "--json").splitlines()]


def summary_of(store, path):
    return json.loads(got(store, path, "--summary", "--json"))


def events(store, path, sensor):
    """Of this file: (event, values, text)"""
    numbers, out = {}, []
    for e in (json.loads(line) for line in run("flowproof", "records", "-d", store, "--events", "--json", "--sensor", sensor).expect(0).out.splitlines()):
        if e["event"].startswith("log-"):
            numbers.setdefault(e["file"], []).append(e)
    for e in numbers.get(NUMBERS[path], []):
        out.append((e["event"], e))
    return out


NUMBERS = {}  # of the files, by the order in which they were given


def names(store, path, sensor="i-tail"):
    return [e for e, _ in events(store, path, sensor)]


def event(store, path, name, sensor="i-tail"):
    """The one event of its name."""
    found = [e for n, e in events(store, path, sensor) if n == name]
    equal(len(found), 1, f"events {name} of {path}: {names(store, path, sensor)}")
    return found[0]


def findings(store):
    return [f for f in (json.loads(line) for line in run("flowproof", "findings", "-d", store, "--json").expect(0).out.splitlines())
            if f["kind"] == "log_wiped"]


def line(n, text=b"GET /index.html 200"):
    return b"%06d %s\n" % (n, text)


STORIES = {}


def story(f):
    STORIES[f.__name__.replace("_", "-") + ".log"] = f
    return f


# Each is a generator: what it yields must come true before it goes on; in the end it says what must be in the ledger of its file.

@story
def append_only(w, store, p):
    want = b""
    for i in range(50):
        append(p, line(i))
        want += line(i)
    append(p, b"caf\xe9 \xff\x00\x1b[2J not UTF-8\n")
    want += b"caf\xe9 \xff\x00\x1b[2J not UTF-8\n"
    yield "all of it", lambda: got(store, p) == want
    equal(names(store, p), ["log-opened"])
    equal(summary_of(store, p)["lines"], 51, "lines")
    check({"hex": (b"caf\xe9 \xff\x00\x1b[2J not UTF-8").hex()}.items() <= pieces(store, p)[-1].items(), pieces(store, p)[-1])


@story
def partial(w, store, p):
    append(p, b"begun")
    yield "the unfinished line, when it has waited", lambda: got(store, p) == b"begun"
    append(p, b" and ended\nnext\n")
    yield "its rest", lambda: got(store, p) == b"begun and ended\nnext\n"
    equal([(x["line"], x["whole"], x["offset"] - FIRST) for x in pieces(store, p)],
          [("begun", False, 0), (" and ended", True, 5), ("next", True, 16)], "pieces")


@story
def renamed(w, store, p):
    append(p, line(1))
    yield "a line", lambda: got(store, p) == line(1)
    old = os.stat(p).st_ino
    os.rename(p, p + ".1")
    append(p, line(3))  # the writer has both open for a while
    append(p + ".1", line(2))
    yield "the rest of the old file and the new one", lambda: sorted(got(store, p).splitlines()) == [line(i)[:-1] for i in (1, 2, 3)]
    e = event(store, p, "log-rotated")
    equal((e["inode"], e["new_inode"], e["text"]), (old, os.stat(p).st_ino, "renamed to renamed.log.1"), "rotation")
    equal([e["offset"] for n, e in events(store, p, "i-tail") if n == "log-opened"], [FIRST, 0], "begins")
    os.rename(p + ".1", p + ".2")
    os.rename(p, p + ".1")
    yield "a rotation whose new file is late", lambda: names(store, p).count("log-rotated") == 2
    append(p + ".1", line(4))
    append(p, line(5))
    yield "the third file", lambda: sorted(got(store, p).splitlines()) == [line(i)[:-1] for i in range(1, 6)]


@story
def packed(w, store, p):
    append(p, line(1) * 10)
    yield "lines", lambda: got(store, p) == line(1) * 10
    with open(p, "rb") as f, gzip.open(p + ".1.gz", "wb") as z:
        z.write(f.read())
    os.remove(p)
    append(p, line(2))
    yield "the new file", lambda: got(store, p) == line(1) * 10 + line(2)
    equal(event(store, p, "log-rotated")["text"], "packed into packed.log.1.gz")


@story
def copytruncate(w, store, p):
    append(p, line(1) * 300)
    yield "lines", lambda: got(store, p) == line(1) * 300
    append(p, line(2) * 9000)  # not read yet when it is cut: it is in the copy
    shutil.copyfile(p, p + ".1")
    os.truncate(p, 0)
    append(p, line(3))
    yield "what was in the copy alone, too", lambda: sorted(got(store, p).splitlines()) == sorted((line(1) * 300 + line(2) * 9000 + line(3)).splitlines())
    equal(event(store, p, "log-rotated")["text"], "copied to copytruncate.log.1")


@story
def moved_away(w, store, p):
    append(p, line(1))
    yield "a line", lambda: got(store, p) == line(1)
    os.mkdir(w.path("elsewhere"))
    os.rename(p, os.path.join(w.path("elsewhere"), "x"))
    append(p, line(2))
    yield "the new file", lambda: got(store, p) == line(1) + line(2)
    e = event(store, p, "log-vanished")
    equal((e["links"], e["text"]), (1, "another file took its place"))


@story
def deleted(w, store, p):
    append(p, line(1))
    yield "a line", lambda: got(store, p) == line(1)
    with open(p, "ab") as f:
        size = os.stat(p).st_size
        os.remove(p)
        yield "that it is gone", lambda: "log-vanished" in names(store, p)
        e = event(store, p, "log-vanished")
        equal((e["size"], e["links"]), (size, 0), "what was lost")
        f.write(line(2))  # a daemon that has it open still
        f.flush()
        yield "what is written to it still", lambda: got(store, p) == line(1) + line(2)


@story
def cut_to_nothing(w, store, p):
    append(p, line(1) * 20)
    yield "lines", lambda: got(store, p) == line(1) * 20
    before = os.stat(p).st_size
    os.truncate(p, 0)
    yield "that it was cut", lambda: "log-shrank" in names(store, p)
    e = event(store, p, "log-shrank")
    equal((e["size_before"], e["size"]), (before, 0), "sizes")
    append(p, line(2))
    yield "what came after", lambda: got(store, p) == line(1) * 20 + line(2)


@story
def cut_shorter(w, store, p):
    append(p, line(1) + line(2) + line(3))
    yield "lines", lambda: got(store, p) == line(1) + line(2) + line(3)
    before = os.stat(p).st_size
    os.truncate(p, before - len(line(3)))
    yield "that it was cut", lambda: "log-shrank" in names(store, p)
    with open(p, "rb") as f:  # what is left is told once more
        left = f.read()
    yield "what is left", lambda: got(store, p) == line(1) + line(2) + line(3) + left


@story
def rewritten(w, store, p):
    append(p, line(1) + line(2, b"evil") + line(3))
    yield "lines", lambda: got(store, p) == line(1) + line(2, b"evil") + line(3)
    stat = os.stat(p)
    with open(p, "r+b") as f:
        f.seek(stat.st_size - len(line(3)) - len(line(2, b"evil")))
        f.write(line(2, b"good"))
    os.utime(p, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as one does
    yield "that it was overwritten", lambda: "log-rewritten" in names(store, p)
    with open(p, "rb") as f:
        now = f.read()
    yield "what it is now", lambda: got(store, p) == line(1) + line(2, b"evil") + line(3) + now


@story
def replaced(w, store, p):
    append(p, line(1) + line(2, b"evil"))
    yield "lines", lambda: got(store, p) == line(1) + line(2, b"evil")
    with open(p + ".tmp", "wb") as f:  # sed -i
        f.write(line(1))
    os.rename(p + ".tmp", p)
    yield "that it is gone", lambda: "log-vanished" in names(store, p)
    equal(event(store, p, "log-vanished")["text"], "another file took its place")
    yield "the other one", lambda: got(store, p) == line(1) + line(2, b"evil") + line(1)


@story
def linked(w, store, p):
    append(p, line(1))
    yield "a line", lambda: got(store, p) == line(1)
    os.remove(p)
    os.symlink(w.path("secret"), p)
    append(w.path("secret"), b"root:$6$never\n")
    yield "that it is a link", lambda: "log-unreadable" in names(store, p)
    equal(event(store, p, "log-unreadable")["text"], "a symbolic link")
    check("log-vanished" in names(store, p), "the file that was there")
    os.remove(p)
    append(p, line(2))
    yield "a file again", lambda: got(store, p) == line(1) + line(2)


@story
def piped(w, store, p):
    append(p, line(1))
    yield "a line", lambda: got(store, p) == line(1)
    os.rename(p, p + ".1")
    os.mkfifo(p)
    yield "that it is a FIFO", lambda: "log-unreadable" in names(store, p)
    equal(event(store, p, "log-unreadable")["text"], "a FIFO")
    append(p + ".1", line(2))
    yield "the old file all the same", lambda: got(store, p) == line(1) + line(2)


@story
def long_line(w, store, p):
    text = b"x" * 1000000
    append(p, line(1) + text + b"\n" + line(2))
    yield "the begin of it", lambda: got(store, p) == line(1) + text[:LINE_MAX] + b"\n" + line(2)
    equal(summary_of(store, p)["left_out"]["long"], len(text) - LINE_MAX, "left out")


@story
def flood(w, store, p):
    total = 16 << 20
    with open(p, "ab") as f:
        for i in range(total // 64):
            f.write(b"%062d\r\n" % i)
    yield "its end", lambda: got(store, p).endswith(b"%062d\r\n" % (total // 64 - 1))
    lines = got(store, p).splitlines()
    s = summary_of(store, p)
    equal(len(lines) * 64 + s["left_out"]["rate"], total, "bytes that came and that were left out")
    check(s["left_out"]["rate"] > total // 2, "little was left out")
    equal((s["missing"], s["gaps"]), (0, 0), "holes that nobody told")
    equal(sorted(set(len(x) for x in lines)), [62], "whole lines")


FIRST = len(b"before the sensor came\n")
WIPING = (moved_away, deleted, cut_to_nothing, cut_shorter, rewritten, replaced, linked)


def play(tap, w, store, sensor):
    """All stories at once; each case is one."""
    running = {name: f(w, store, w.path(name)) for name, f in STORIES.items()}
    failed, waits = {}, {}
    end = time.monotonic() + 60
    while running:
        for name, r in list(running.items()):
            try:
                if name in waits and not waits[name][1]():
                    check(time.monotonic() < end, f"not in time: {waits[name][0]}; events {names(store, w.path(name))}")
                    continue
                waits[name] = next(r)
            except StopIteration:
                del running[name]
            except Exception as e:  # pylint: disable=broad-except
                failed[name] = e
                del running[name]
        time.sleep(0.05)
    for name in STORIES:
        with tap.case(name.split(".", maxsplit=1)[0].replace("-", " ")):
            if name in failed:
                raise failed[name]
    check(sensor.alive(), "the sensor ended: " + sensor.text("err"))


def runs(tap, w, store):
    """A file from its start; what a killed run did not read; a file that comes late; no process to open files."""
    p, late = w.path("whole.log"), w.path("late.log")
    NUMBERS.update({p: 0, late: 1})
    want = b"".join(line(i) for i in range(30000)) + b"unfinished"
    append(p, want)
    with w.collector(store) as c:
        args = ("--tail", p, "--tail", late, "--tail-from", "start", "--tail-kib-s", "4096")
        with w.sensor("i-runs", c.address, *args) as s:
            with tap.case("tail-from = start: the whole file, byte for byte, and nothing left out"):
                until("all of it", lambda: got(store, p) == want)
                equal(summary_of(store, p)["left_out"], {"long": 0, "rate": 0, "lost": 0})
                equal(event(store, p, "log-opened", "i-runs")["offset"], 0)
            with tap.case("a file that is not there yet is told, and read from its begin when it comes"):
                equal((event(store, late, "log-unreadable", "i-runs")["text"]), "No such file or directory")
                append(late, line(7))
                until("its line", lambda: got(store, late) == line(7))
            with tap.case("without the process that opens files they are read on, and that is told"):
                os.kill(children(s.p.pid)[0], signal.SIGKILL)
                until("an event of it", lambda: names(store, late, "i-runs").count("log-unreadable") == 2)
                match("is gone", [e for n, e in events(store, late, "i-runs") if n == "log-unreadable"][1]["text"])
                append(late, line(8))
                until("its line", lambda: got(store, late) == line(7) + line(8))
                os.truncate(late, 0)  # nobody can look for a copy
                until("that it was cut", lambda: "log-shrank" in names(store, late, "i-runs"))
            s.kill()  # as it comes: no goodbye
        append(p, line(1) * 100)
        with w.sensor("i-runs", c.address, "--tail", p, "--tail", late, "--no-sandbox") as s:
            s.wait_for("following from byte", "err", count=2)
            with tap.case("what was written while no sensor ran is told as missing, to the byte"):
                append(p, line(2))
                until("what came after", lambda: got(store, p) == want + line(2))
                equal(summary_of(store, p)["between_runs"], len(line(1) * 100))
                match(f"{len(line(1) * 100)} bytes did not come", run("flowproof", "logs", "-d", store, "--file", p).expect(0).err)
            s.stop().expect(0)
        with tap.case("the end of a run takes what is there, a line without an end too"):
            with w.sensor("i-runs", c.address, "--tail", p) as s:
                s.wait_for("following from byte", "err")
                append(p, line(3) + b"end")
                s.stop().expect(0)
            equal(got(store, p), want + line(2) + line(3) + b"end")
        c.stop().expect(0)
    with tap.case("several files: each under its name; one sensor; a span of time"):
        out = run("flowproof", "logs", "-d", store, "--sensor", "i-runs").expect(0).out_bytes
        check(out.startswith(b"==> i-runs " + p.encode() + b" <==\n000000 "), out[:200])
        check(b"\n==> i-runs " + late.encode() + b" <==\n" + line(7) in out, "the other file")
        equal(got(store, p, "--to", "2026-01-01T00:00Z"), b"", "before all of it")
        equal(got(store, p, "--from", "2026-01-01T00:00Z"), got(store, p), "after")
    with tap.case("a terminal gets no control character from a log, but for --raw"):
        for args, want in (((), b"caf\\xe9 \\xff\\x00\\x1b[2J not UTF-8\r\n"), (("--raw",), b"caf\xe9 \xff\x00\x1b[2J not UTF-8\r\n")):
            check(want in on_terminal("logs", "-d", store, "--file", w.path("append-only.log"), *args), args)


def on_terminal(*args):
    leader, follower = pty.openpty()
    p = subprocess.Popen([program("flowproof"), *args], stdout=follower)
    os.close(follower)
    out = b""
    try:
        while part := os.read(leader, 65536):
            out += part
    except OSError:  # the other end is closed
        pass
    os.close(leader)
    check(p.wait(20) == 0, "exit status")
    return out


def full_spool(tap, w):
    """No collector: lines and flows until the spool is full. Lines go first, and what went is told to the line."""
    p, store = w.path("spool.log"), os.path.join(w.d, "spool-store")
    NUMBERS[p] = 0
    append(p, b"")
    with w.collector(store) as c:
        with w.sensor("i-spool", c.address, "--tail", p, "--tail-kib-s", "4096", "--spool-kib", "64", "--flow-slots", "16", "--endpoint-slots", "16") as s:
            s.wait_for("following from byte", "err")
            c.stop().expect(0)
            written = 2000
            append(p, b"".join(line(i) for i in range(written)))
            time.sleep(3)  # three looks at the file: its lines stand in the spool before the flood of flows does
            with net.sock(w.ns, socket.AF_INET, socket.SOCK_DGRAM) as u:
                end = time.monotonic() + 60
                while "spool: full" not in s.text("err") and time.monotonic() < end:
                    append(p, b"".join(line(written + i) for i in range(2000)))
                    written += 2000
                    for i in range(4000):
                        u.sendto(b"x", ("127.0.0.2", 1024 + (written * 2 + i) % 60000))
                    time.sleep(0.1)
            with w.collector(store, c.address) as again:
                append(p, b"last\n")
                with tap.case("a full spool gives up lines before flows"):
                    until("the last line", lambda: got(store, p).endswith(b"last\n"))
                    s.stop().expect(0)
                    told = [json.loads(x) for x in run("flowproof", "records", "-d", store, "--events", "--json").expect(0).out.splitlines()]
                    full = [e for e in told if e["event"] == "spool-full"]
                    check(full[0]["lines"] > 0, full[0])
                    equal((full[0]["batches"], full[0]["records"], full[0]["packets"]), (0, 0, 0), "flows that were given up first")
                with tap.case("the gaps tell how many lines, to the line and to the byte"):
                    gaps = sum(e["lines"] for e in told if e["event"] == "gap")
                    lines = got(store, p).splitlines()
                    equal(len(lines) + gaps, written + 1, "lines")
                    equal(len(got(store, p)) + summary_of(store, p)["missing"], os.stat(p).st_size, "bytes")
                    equal(lines, sorted(lines), "order")
                again.stop().expect(0)


def refusals(tap, w):
    os.symlink(w.path("spool.log"), w.path("link.log"))
    os.mkfifo(w.path("fifo.log"))
    with tap.case("what cannot be followed is refused, with the reason"):
        common = ("flowproof-sensor", "-i", "lo", "-s", "127.0.0.1:1", "--id", "i-tail", *w.pki.options("i-tail"))
        for args, why in ((("--tail", w.path("link.log")), "is a symbolic link: give the path of the log file itself"),
                          (("--tail", w.path("fifo.log")), "is a FIFO"),
                          (("--tail", w.logs), "is a folder"),
                          (("--tail", w.path("none/x.log")), "the folder .*none: No such file or directory"),
                          (("--tail", "x.log"), "give a file's whole path"),
                          (("--tail", w.logs + "/"), "give a file's whole path"),
                          (("--tail", w.path("a"), "--tail", w.path("a")), "is given twice"),
                          (("--tail-from", "begin"), "it is start or end"),
                          (tuple(x for i in range(17) for x in ("--tail", w.path(f"n{i}"))), "at most 16 files")):
            match(why, run(*common, *args, prefix=net.prefix(w.ns)).expect(2).err, args)
        match("needs a collector", run("flowproof-sensor", "-i", "lo", "--tail", w.path("a")).expect(2).err)


def status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(x.rstrip("\n").split(":\t", 1) for x in f if ":\t" in x)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(x) for x in f.read().split()]


def main():
    net.need_root("run_tail")
    tap = Tap()
    with folder() as d, net.Namespaces("host") as ns:
        w = World(d, ns.host)
        store = os.path.join(d, "store")
        for i, name in enumerate(STORIES):
            append(w.path(name), b"before the sensor came\n")
            NUMBERS[w.path(name)] = i
        with w.collector(store) as c:
            s = w.sensor("i-tail", c.address, "--tail-kib-s", str(RATE_KIB), *(x for name in STORIES for x in ("--tail", w.path(name))))
            with s:
                s.wait_for("following from byte", "err", count=len(STORIES))
                with tap.case("the sensor has no capability, the process that opens files for it one, and both are filtered"):
                    opener, = children(s.p.pid)
                    for pid, want in ((s.p.pid, 0), (opener, 1 << 2)):  # CAP_DAC_READ_SEARCH
                        told = status(pid)
                        equal([int(told[k], 16) for k in ("CapEff", "CapPrm", "CapBnd", "CapAmb", "CapInh")], [want, want, 0, 0, 0], f"capabilities of {pid}")
                        equal((told["Uid"].split()[0], told["Groups"].split(), told["NoNewPrivs"]), ("65534", [], "1"), "user, groups")
                        if not SANITIZED:
                            equal(told["Seccomp"], "2", "filter")
                play(tap, w, store, s)
                s.stop().expect(0)
            c.stop().expect(0)
        with tap.case("each log that was wiped is a finding, and no other"):
            told = {os.path.basename(f["name"]): f for f in findings(store)}
            equal(sorted(told), sorted(name for name, f in STORIES.items() if f in WIPING), "files")
            for name, f in told.items():
                equal((f["severity"], f["remote"], f["sensor"]), ("medium" if name == "moved-away.log" else "high", "-", "i-tail"), name)
            size = FIRST + 20 * len(line(1))
            match(f"it was cut; 1 times, {size} bytes are gone", told["cut-to-nothing.log"]["what"])
        with tap.case("the report lists them: lines, what did not come, what was wiped; in both languages"):
            html = os.path.join(d, "report.html")
            told = {os.path.basename(x["file"]): x for x in json.loads(
                run("flowproof", "report", "-d", store, "--json", "-", "--html", html).expect(1).out)["logs"]}
            equal(sorted(told), sorted(STORIES), "files")
            for name, x in told.items():
                equal(x["shrank"] + x["vanished"] + x["rewritten"] > 0, STORIES[name] in WIPING, name)
                equal(x["bytes"], len(got(store, w.path(name))), name)
            equal(told["long-line.log"]["left_out_long"], 1000000 - LINE_MAX)
            with open(html, encoding="utf-8") as f:
                text = f.read()
            check("Log files of the machine" in text and all(w.path(name) in text for name in STORIES), "HTML")
            run("flowproof", "report", "-d", store, "--lang", "ja", "--html", html).expect(1)
            with open(html, encoding="utf-8") as f:
                check("このマシンのログファイル" in f.read(), "HTML in Japanese")
        runs(tap, w, store)
        full_spool(tap, w)
        refusals(tap, w)
        with tap.case("nothing of what the link led to"):
            for root, _, files in os.walk(store):
                for name in files:
                    with open(os.path.join(root, name), "rb") as f:
                        check(b"$6$never" not in f.read(), name)

    tap.done()


if __name__ == "__main__":
    main()
