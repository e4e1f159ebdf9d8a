# SPDX-License-Identifier: Apache-2.0
"""What the suites share: TAP, the programs under test, daemons that are waited for and always ended.

Every wait has a bound and waits for a line or a state, never for a length of time.
"""
import contextlib
import difflib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = ("flowproof-sensor", "flowproof-collector", "flowproof")
RUN_LIMIT_S = 60


class Tap:
    """Prints TAP as cases end; a case that raises has failed and its reason follows as comment lines."""

    def __init__(self):
        self.n = 0
        self.failed = 0

    @contextlib.contextmanager
    def case(self, name):
        self.n += 1
        try:
            yield
        except AssertionError as e:
            self._failed(name, str(e) or traceback.format_exc())
        except Exception:  # pylint: disable=broad-except
            self._failed(name, traceback.format_exc())
        else:
            self.say(f"ok {self.n} - {name}")

    def say(self, text):
        print(text, flush=True)

    def _failed(self, name, why):
        self.failed += 1
        self.say("\n".join([f"not ok {self.n} - {name}", *(f"# {line}" for line in why.rstrip().splitlines())]))

    def together(self, *groups):
        """Runs functions of a Tap at once, a thread each: for cases that wait more than they work."""
        held = [Held() for _ in groups]
        threads = [threading.Thread(target=f, args=(h,)) for f, h in zip(groups, held)]
        for t in threads:
            t.start()
        for t, h in zip(threads, held):
            t.join()
            for text in h.said:
                self.n += 1
                self.say(re.sub(r"^((?:not )?ok) \d+", rf"\1 {self.n}", text))
            self.failed += h.failed

    def skip(self, name, reason):
        self.n += 1
        self.say(f"ok {self.n} - {name} # SKIP {reason}")

    def done(self):
        print(f"1..{self.n}", flush=True)
        sys.exit(1 if self.failed else 0)


class Held(Tap):
    """Keeps what it says."""

    def __init__(self):
        super().__init__()
        self.said = []

    def say(self, text):
        self.said.append(text)


def check(condition, why):
    if not condition:
        raise AssertionError(why)


def equal(got, want, what=""):
    """Equal, or an AssertionError that shows where not (texts and lists by lines, at most 40 of them)."""
    if got == want:
        return
    if isinstance(got, str) and isinstance(want, str):
        got, want = got.splitlines(), want.splitlines()
    if isinstance(got, list) and isinstance(want, list):
        diff = list(difflib.unified_diff([str(x) for x in want], [str(x) for x in got], "expected", "got",
                                         lineterm="", n=1))
        text = "\n".join(diff[:40])
        if len(diff) > 40:
            text += f"\n... and {len(diff) - 40} lines more"
        if not diff:
            text = f"expected {want!r}\ngot      {got!r}"
    else:
        text = f"expected {want!r}\ngot      {got!r}"
    raise AssertionError((what + "\n" if what else "") + text)


def match(pattern, text, what=""):
    found = re.search(pattern, text, re.M)
    check(found, f"{what}\nno match for {pattern!r} in:\n{text[-2000:]}".lstrip())
    return found


def build_dir():
    """The build folder given on the command line; ends the suite when a program is missing there."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} BUILD_DIR")
    return os.path.abspath(sys.argv[1])


def program(name):
    return os.path.join(build_dir(), name)


class Result:
    def __init__(self, code, out, err):
        self.code, self.out_bytes, self.err = code, out, err.decode("utf-8", "backslashreplace")

    @property
    def out(self):
        return self.out_bytes.decode("utf-8", "backslashreplace")

    def expect(self, *codes):
        """Also fails when a sanitizer spoke, whatever the exit code."""
        check("Sanitizer" not in self.err and "runtime error:" not in self.err, "sanitizer report:\n" + self.err)
        check(self.code in codes, f"exit {self.code}, expected {codes}; standard error:\n{self.err[-3000:]}")
        return self


def run(*argv, stdin=b"", limit=RUN_LIMIT_S, prefix=(), cwd=None):
    """Runs one of the programs (argv[0] is its name) to its end."""
    argv = [*prefix, program(argv[0]) if argv[0] in PROGRAMS else argv[0], *argv[1:]]
    p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd)
    try:
        out, err = p.communicate(stdin, timeout=limit)
    except subprocess.TimeoutExpired:
        p.kill()
        out, err = p.communicate()
        raise AssertionError(f"{argv} still ran after {limit} s; standard error:\n{err.decode(errors='replace')}") from None
    return Result(p.returncode, out, err)


class Daemon:
    """A child whose two outputs are read line by line with the time each came."""

    def __init__(self, *argv, prefix=(), stdin=subprocess.DEVNULL):
        argv = [*prefix, program(argv[0]) if argv[0] in PROGRAMS else argv[0], *argv[1:]]
        self.name = os.path.basename(argv[len(prefix)])
        self.p = subprocess.Popen(argv, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines = []  # (seconds, "out" or "err", text)
        self.changed = threading.Condition()
        self.open_pipes = 2
        self.readers = [threading.Thread(target=self._read, args=(pipe, which), daemon=True)
                        for pipe, which in ((self.p.stdout, "out"), (self.p.stderr, "err"))]
        for t in self.readers:
            t.start()

    def _read(self, pipe, which):
        for raw in pipe:
            with self.changed:
                self.lines.append((time.monotonic(), which, raw.decode("utf-8", "backslashreplace").rstrip("\n")))
                self.changed.notify_all()
        with self.changed:
            self.open_pipes -= 1
            self.changed.notify_all()

    def text(self, which=None):
        with self.changed:
            return "\n".join(t for _, w, t in self.lines if which in (None, w))

    def wait_for(self, pattern, which=None, limit=20, count=1):
        """The match of the count-th line that has `pattern`, and when that line came."""
        regex = re.compile(pattern)
        end = time.monotonic() + limit
        with self.changed:
            while True:
                found = [(m, t) for t, w, line in self.lines if which in (None, w) for m in [regex.search(line)] if m]
                if len(found) >= count:
                    return found[count - 1]
                left = end - time.monotonic()
                if left <= 0 or self.open_pipes == 0:
                    why = f"within {limit} s" if left <= 0 else "before it closed its outputs"
                    said = "\n".join(line for _, _, line in self.lines[-40:])
                    raise AssertionError(f"{self.name} did not say {pattern!r} {why}; it said:\n{said}")
                self.changed.wait(left)

    def wait(self, limit=20):
        try:
            self.p.wait(limit)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {limit} s; it said:\n{self.text()}") from None
        for t in self.readers:
            t.join(limit)
        return Result(self.p.returncode, self.text("out").encode(), self.text("err").encode())

    def stop(self, sig=signal.SIGTERM, limit=20):
        if self.p.poll() is None:
            self.p.send_signal(sig)
        return self.wait(limit)

    def alive(self):
        return self.p.poll() is None

    def kill(self):
        if self.p.poll() is None:
            self.p.kill()
            self.p.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.kill()


@contextlib.contextmanager
def folder(below=None):
    with tempfile.TemporaryDirectory(prefix="flowproof-test-", dir=below) as d:
        os.chmod(d, 0o755)
        yield d


def write(path, data):
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    return path


SUMMARY = re.compile(
    r"^packets: received (\d+)(?: \+ offload (\d+))? = recorded (\d+) \+ not-ip (\d+) \+ malformed (\d+) \+ cut (\d+) \(residual (-?\d+)\); "
    r"kernel dropped (\d+|unknown), nic dropped (\d+|unknown)$")


def summary(err):
    """The packet equation from the end of a sensor's standard error, checked: residual 0, sums right, stated once.

    Beside the totals: "not-ip reasons" and "malformed reasons" as dictionaries, and "noted": what was counted though something is
    wrong with it."""
    lines = err.rstrip("\n").split("\n")
    if lines[-1].startswith("flowproof-sensor: "):
        lines.pop()  # why it failed comes after what it did
    found = [SUMMARY.match(line) for line in lines]
    check(sum(1 for m in found if m) == 1 and found[-1], f"no packet equation as last line of:\n{err[-2000:]}")
    names = ("received", "offload", "recorded", "not-ip", "malformed", "cut", "residual")
    ret = {n: int(v or 0) for n, v in zip(names, found[-1].groups()[:7])}
    ret["kernel"], ret["nic"] = found[-1].groups()[7:]
    equal(ret["residual"], 0, "residual")
    equal(ret["received"] + ret["offload"], ret["recorded"] + ret["not-ip"] + ret["malformed"] + ret["cut"], "packet equation")
    for kind in ("not-ip", "malformed"):
        stated = [line for line in lines if line.startswith(kind + ": ")]
        equal(len(stated), 1 if ret[kind] else 0, f"lines of reasons for {kind}")
        reasons = {}
        for item in (stated[0][len(kind) + 2:].split() if stated else []):
            name, value = item.rsplit("=", 1)
            reasons[name] = int(value)
        equal(sum(reasons.values()), ret[kind], f"sum of the reasons for {kind}")
        ret[kind + " reasons"] = reasons
    ret["noted"] = {"snapped": 0, "ip-checksum": 0, "length-beyond-wire": 0}
    for line in lines:
        if line.startswith("counted all the same: "):
            ret["noted"] = {k: int(v) for k, v in (item.split("=") for item in line.split(": ")[1].split())}
    return ret
