#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_guide.py BUILD_DIR   docs/quarantine.md: the same commands in both languages, each option one of its program's, settings that are taken."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import ROOT, Tap, build_dir, check, equal, folder, run, write  # noqa: E402
from pki import Pki  # noqa: E402


def commands(name):
    """Lines of code, those that go on made one; without comments."""
    with open(os.path.join(ROOT, "docs", name), encoding="utf-8") as f:
        text = "".join(line[4:] for line in f if line.startswith("    "))
    return [re.sub(r"\s+#.*", "", line) for line in text.replace("\\\n", " ").splitlines()]


def sections(name):
    with open(os.path.join(ROOT, "docs", name), encoding="utf-8") as f:
        text = f.read()
    return len(re.findall("^## ", text, re.M)), len(re.findall(r"^\|", text, re.M))


def options_of(*argv):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", run(*argv).out))


def main():
    build_dir()
    tap = Tap()
    lines = commands("quarantine.md")
    with tap.case("both languages: the same commands, as many chapters and rows of tables"):
        equal(commands("quarantine.ja.md"), lines)
        equal(sections("quarantine.ja.md"), sections("quarantine.md"))
    with tap.case("each option is one of the program that it is given to"):
        seen = set()
        for line in lines:
            words = line.split()
            if words[0] == "flowproof":
                argv = ("flowproof", words[1], *([] if words[1] != "pki" else [words[2]]), "--help")
            elif words[0].endswith("install-offline"):
                argv = (os.path.join(ROOT, words[0]), "--help")
            else:
                continue
            seen.add(" ".join(argv[1:-1]) or "install-offline")
            known = options_of(*argv)
            for option in re.findall(r"(?<!\S)--[a-z-]+", line):
                check(option in known, f"{option} of {line!r} is none of {argv}")
        equal(seen, {"pki init", "pki issue", "seal", "preflight", "records", "findings", "audit", "reconcile", "report", "install-offline"})
    with tap.case("the collector takes its configuration, the sensor the further settings"):
        begin = lines.index("cat >/etc/flowproof/collector.conf <<END")
        conf = lines[begin + 1:lines.index("END", begin)]
        with folder() as d:
            keys = Pki(os.path.join(d, "keys"))
            text = "\n".join(conf).replace("/etc/flowproof", keys.folder)
            run("flowproof-collector", "-c", write(os.path.join(d, "collector.conf"), text), "-d", os.path.join(d, "store"), "--key", keys.pair("collector")[1],
                "--check").expect(0)
            cert, key = keys.issue("suspect-017")
            more = re.findall(r"--set '([^']+)'", " ".join(lines))
            check(len(more) >= 2, more)
            text = "\n".join(["interface = lo", "collector = 10.99.1.10:4739", "id = suspect-017", f"ca = {keys.ca}", f"cert = {cert}", f"key = {key}", *sorted(set(more))])
            run("flowproof-sensor", "-c", write(os.path.join(d, "sensor.conf"), text), "--check").expect(0)
    with tap.case("files that it names are there"):
        for path in re.findall(r"platform/ec2/[a-z.-]+", " ".join(lines)):
            check(os.path.exists(os.path.join(ROOT, path)), path)
    tap.done()


if __name__ == "__main__":
    main()
