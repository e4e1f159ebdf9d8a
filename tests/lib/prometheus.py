# SPDX-License-Identifier: Apache-2.0
"""Metrics in Prometheus' text format 0.0.4, read as strictly as `promtool check metrics` reads them: by the format's page
(https://prometheus.io/docs/instrumenting/exposition_formats/) and the page on naming (https://prometheus.io/docs/practices/naming/)."""
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)\Z")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|\Z)')
# Units that are not base units, and what a name must not say twice.
NOT_BASE = re.compile(r"_(milliseconds|ms|microseconds|us|nanoseconds|ns|minutes|hours|kib|kb|mib|mb|kilobytes|megabytes|percent)(_|\Z)")


def _labels(text):
    out = {}
    while text:
        m = LABEL.match(text)
        if not m:
            raise AssertionError(f"no label begins at {text!r}")
        if m[1] in out or m[1].startswith("__"):
            raise AssertionError(f"label {m[1]}")
        out[m[1]] = re.sub(r"\\(.)", lambda e: {"n": "\n"}.get(e[1], e[1]), m[2])
        text = text[m.end():]
    return out


def parse(text):
    """{name: {frozenset of (label, value): number}}, once everything holds that promtool asks for."""
    if not text.endswith("\n"):
        raise AssertionError("the last line has no end")
    out, helps, types, name = {}, {}, {}, None
    for line in text.split("\n")[:-1]:
        if line.startswith("# "):
            word, what, rest = line[2:].split(" ", 2)
            if what in out or not NAME.match(what):
                raise AssertionError(f"{line}: a metric's samples stand together, below its HELP and TYPE")
            where = {"HELP": helps, "TYPE": types}[word]
            if what in where or not rest:
                raise AssertionError(line)
            where[what] = rest
            name = what
            continue
        m = SAMPLE.match(line)
        if not m:
            raise AssertionError(f"neither a sample nor a comment: {line!r}")
        if m[1] != name or name not in helps or types.get(name) not in ("counter", "gauge"):
            raise AssertionError(f"{line}: without HELP and TYPE right before it")
        if (types[name] == "counter") != name.endswith("_total"):
            raise AssertionError(f"{name}: counters, and only these, end in _total")
        if NOT_BASE.search(name):
            raise AssertionError(f"{name}: not in base units")
        key, value = frozenset(_labels(m[2] or "").items()), float(m[3])
        if key in out.setdefault(name, {}):
            raise AssertionError(f"{line}: there twice")
        if types[name] == "counter" and value < 0:
            raise AssertionError(f"{line}: a counter below 0")
        out[name][key] = value
    if set(helps) != set(types):
        raise AssertionError(f"HELP or TYPE alone: {set(helps) ^ set(types)}")
    return out


def value(metrics, name, **labels):
    """Of the one sample; None if there is none."""
    return metrics.get(name, {}).get(frozenset(labels.items()))
