#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_golden_corpus.py BUILD_DIR   The corpus that others may use is what its generator writes, the sensor agrees with it, and its runner
finds what disagrees."""
import os
import shlex
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import ROOT, Tap, check, equal, folder, match, program, run, write  # noqa: E402
import make_corpus  # noqa: E402

CORPUS = os.path.join(ROOT, "tests", "golden", "corpus")
sys.path.insert(0, CORPUS)
import run_corpus  # noqa: E402


def runner(command, *args):
    return run(sys.executable, os.path.join(CORPUS, "run_corpus.py"), "--command", command, *args)


def regenerated(d):
    """Every file that the generator writes is here with the same bytes, and no other but runner and README."""
    make_corpus.write(d)
    made = sorted(os.listdir(d))
    equal(sorted(n for n in os.listdir(CORPUS) if not n.startswith("__")), sorted([*made, "README.md", "run_corpus.py"]), "files")
    for name in made:
        with open(os.path.join(d, name), "rb") as a, open(os.path.join(CORPUS, name), "rb") as b:
            equal(a.read() == b.read(), True, f"{name} is not what make_corpus.py writes")


def ours():
    sensor = shlex.quote(program("flowproof-sensor"))
    return run_corpus.arguments(["--command", sensor + " -r {pcap} -o - -F {fields} -t {window}", "--each-local", "--local {network}",
                                 "--each-value", "--field {name}={value}"])


def agrees(case, options):
    result, lines = run_corpus.run(case, options)
    equal((result, lines), ("ok", []), case["covers"])


def published():
    """Amazon's own lines: nine of them stand in the expected ones, and no case is without a source."""
    cases = run_corpus.cases()
    equal(sum(c["published"] for c in cases), 9, "lines that Amazon published")
    check(all(c["source"] and c["covers"] for c in cases), "a case without source")
    with open(os.path.join(CORPUS, "README.md"), encoding="utf-8") as f:
        match(rf"\b{len(cases)}\s+small capture files", f.read(), "README.md says how many there are")


def echo(d, edit):
    """A program that knows the answers, but for one change."""
    return write(os.path.join(d, "echo.py"), "import sys\ntext = open(sys.argv[1][:-5] + '.expected').read()\n" + edit + "\nsys.stdout.write(text)\n")


def runner_finds(d):
    python = shlex.quote(sys.executable)

    def told(edit, code, pattern, *args, more=" {fields} {window}"):
        result = runner(f"{python} {echo(d, edit)} {{pcap}}{more}", "--each-local", "", "--each-value", "", *args).expect(code)
        match(pattern, result.out)

    everything = f"{len(run_corpus.cases())} agree, 0 do not, 0 skipped"
    told("", 0, everything)
    told("text = text.replace(' 336 ', ' 337 ')", 1, r"^FAILED   aws-ping:(.*\n)+.* 337 (.*\n)+\d+ agree, 1 do not")
    told("text = text[:text.rstrip().rfind('\\n') + 1]", 1, "0 agree")
    told("text = text.replace('bytes', 'octets')", 1, "FAILED   aws-ssh")
    told("text = text.replace(' ACCEPT', '', 1)", 1, "13 fields where 14 are named")
    told("sys.exit(3)", 1, "exit status 3")
    swap = "h, *rest = text.splitlines(True); text = h + ''.join(rest[::-1])"
    told(swap, 1, "FAILED   aws-ping")
    told(swap, 0, everything, "--any-order")
    # Two lines for one, as a table that has to evict writes them: only the case of sums allows it.
    for name, code, line, parts in (
            ("very-late", 0, " 17 3 119 1700000045 1700000060 ", (" 17 2 71 1700000045 1700000050 ", " 17 1 48 1700000060 1700000060 ")),
            ("very-late", 1, " 17 3 119 1700000045 1700000060 ", (" 17 2 71 1700000045 1700000050 ", " 17 1 47 1700000060 1700000060 ")),
            ("aws-ping", 1, " 1 4 336 1432917027 1432917142 ", (" 1 3 252 1432917027 1432917029 ", " 1 1 84 1432917142 1432917142 "))):
        told("text = ''.join(line if %r not in line else line.replace(%r, %r) + line.replace(%r, %r) for line in text.splitlines(True))"
             % (line, line, parts[0], line, parts[1]), code, f"{1 - code} agree", "--case", name)
    runner("true", "--case", "none").expect(2)
    # A program with fields of its own, and no header line: what both have is compared.
    own = "end start bytes packets dstaddr srcaddr"
    told(f"head, *rows = [l.split(' ') for l in text.splitlines()]; text = ''.join(' '.join(dict(zip(head, r)).get(n, '1') "
         f"for n in {own.split()}) + '\\n' for r in rows)", 0, "36 agree, 0 do not, 7 skipped", "--fields", own, more=" {window}")


def main():
    tap = Tap()
    with folder() as d:
        with tap.case("the generator writes these bytes"):
            regenerated(os.path.join(d, "again"))
        with tap.case("lines that Amazon published"):
            published()
        for case in run_corpus.cases():
            with tap.case(case["name"]):
                agrees(case, ours())
        with tap.case("the runner finds what disagrees"):
            runner_finds(d)
    tap.done()


if __name__ == "__main__":
    main()
