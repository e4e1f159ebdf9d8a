#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""budget.py BUILD_DIR CONFIG [TRIPLET]

What the sensor of BUILD_DIR is made of: text, data and bss by folder and library, as the linker's map tells it; the memory of its
tables and buffers at most, as its --check tells it. Then tests/size/BUDGET: lines "NAME BYTES"; exit 1 when one of those that
name this build is exceeded. NAME is CONFIGURATION/KIND/PROCESSOR/WHAT, CONFIGURATION being that of configs/ which CONFIG equals.
"""
import glob
import os
import re
import subprocess
import sys

import kconfiglib

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SECTIONS = {".data": "data", ".tdata": "data", ".got": "data", ".data.rel.ro": "data", ".init_array": "data", ".fini_array": "data",
            ".dynamic": "data", ".bss": "bss", ".tbss": "bss"}
NOT_LOADED = re.compile(r"\.(debug|comment|symtab|strtab|shstrtab|stab|gnu\.build|note\.GNU-stack|ARM\.attributes|gnu\.attributes)")
EMULATORS = {"arm": "qemu-arm-static", "aarch64": "qemu-aarch64-static", "mips": "qemu-mips-static"}


def places(path):
    """Where an object comes from: its folder, or its library."""
    library = re.search(r"([^/]+\.a)\(", path)
    if library:
        return library[1]
    m = re.search(r"(?:^|/)(platform|proto|policy|sensor)/[^/]+\.o$", path)
    return m[1] + "/" if m else "linker, C runtime"


def from_map(path):
    """{place: {text, data, bss}} of what was linked in; what --gc-sections left out is not in the map's memory part."""
    sizes, section, seen = {}, None, False
    with open(path, encoding="utf-8", errors="replace") as f:
        text = f.read()
    # A long name stands on a line of its own: join it with the line of its numbers.
    text = re.sub(r"^( \S+)\n +(0x)", r"\1 \2", text, flags=re.M)
    for line in text.splitlines():
        if line.startswith("Linker script and memory map"):
            seen = True
        if not seen:
            continue
        m = re.match(r"^(\.\S+|[A-Z]+)", line)
        if m:
            section = m[1]
        m = re.match(r"^ (\S+) +0x([0-9a-f]+) +0x([0-9a-f]+) (.+)$", line)
        if not m or section is None or NOT_LOADED.match(section) or section == "/DISCARD/":
            continue
        size, place = int(m[3], 16), places(m[4].strip())
        if m[1] == "*fill*" or not size or m[4].startswith("load address"):
            continue
        kind = SECTIONS.get(section, "text")
        sizes.setdefault(place, {"text": 0, "data": 0, "bss": 0})[kind] += size
    return sizes


def configuration(config):
    """Name of the defconfig that says the same as `config`, or "other"."""
    def values(path):
        k = kconfiglib.Kconfig(os.path.join(TOP, "Kconfig"), warn=False)
        k.load_config(path)
        return {s.name: s.str_value for s in k.unique_defined_syms if s.nodes and s.nodes[0].prompt}

    os.chdir(TOP)
    mine = values(config)
    names = [os.path.basename(d)[:-len("_defconfig")] for d in glob.glob(os.path.join(TOP, "configs", "*_defconfig"))]
    names.sort(key=lambda n: (n != "default", n))
    return next((n for n in names if values(os.path.join(TOP, "configs", n + "_defconfig")) == mine), "other")


def memory(program, processor):
    """{part: bytes} as the program says, or None where it cannot run."""
    for prefix in ([], [EMULATORS[processor]] if processor in EMULATORS else []):
        try:
            p = subprocess.run([*prefix, program, "--check", "-r", "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                               check=False)
        except OSError:
            continue
        if p.returncode == 0:
            return {m[1]: int(m[2]) for m in re.finditer(r"^# memory (\S+) (\d+)$", p.stdout, re.M)}
    return None


def main():
    build, config = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    triplet = sys.argv[3] if len(sys.argv) > 3 else ""
    program = os.path.join(build, "flowproof-sensor")
    linked = program + ".debug.map" if triplet else program + ".map"
    processor = triplet.split("-")[0] if triplet else os.uname().machine
    kind = "static" if triplet else "shared"
    name = f"{configuration(config)}/{kind}/{processor}"
    sizes = from_map(linked)
    totals = {k: sum(s[k] for s in sizes.values()) for k in ("text", "data", "bss")}

    print(f"size of {os.path.relpath(program)}, {name}")
    print(f"  {'':24}{'text':>10}{'data':>10}{'bss':>10}")
    for place in sorted(sizes, key=lambda p: (not p.endswith("/"), -sizes[p]["text"], p)):
        print(f"  {place:24}" + "".join(f"{sizes[place][k]:10,}" for k in totals))
    print(f"  {'all':24}" + "".join(f"{totals[k]:10,}" for k in totals))
    measured = {f"{name}/{k}": v for k, v in totals.items()}
    if triplet:
        measured[f"{name}/file"] = os.path.getsize(program)
    parts = memory(program, processor)
    print("memory at most" + ("" if parts else ": this machine cannot run the program to ask it"))
    for part, size in (parts or {}).items():
        print(f"  {part:24}{size:10,}" + ("  (of the kernel's)" if part == "ring" else ""))
        measured[f"{name}/memory-{part}"] = size

    exceeded = named = 0
    with open(os.path.join(TOP, "tests", "size", "BUDGET"), encoding="utf-8") as f:
        lines = [line.split() for line in f if line.strip() and not line.startswith("#")]
    for what, limit in ((w, int(n)) for w, n in lines):
        if what not in measured:
            continue
        named += 1
        over = measured[what] > limit
        exceeded += over
        print(f"  {'EXCEEDED' if over else 'ok':10}{what}: {measured[what]:,} of {limit:,}")
    print(f"size: {named} budgets, {exceeded} exceeded")
    sys.exit(1 if exceeded else 0)


if __name__ == "__main__":
    main()
