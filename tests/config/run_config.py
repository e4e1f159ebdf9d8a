#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_config.py BUILD_DIR   What Kconfig leaves out is not in the sensor; what is left reads files and writes text as ever.

Builds a sensor for each option in BUILD_DIR/config/NAME; what did not change is not built again.
"""
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden"))
from harness import ROOT, Result, Tap, build_dir, check, equal, folder, match, summary, write  # noqa: E402
import harness  # noqa: E402
import make_captures as make  # noqa: E402
from pki import Pki, collector  # noqa: E402
from run_golden import same_sums  # noqa: E402

# Option: functions of ours that go with it, libraries' functions that are not called any more, options of the command line.
OPTIONS = {
    "POLICY_AWS": (("parser_read_ranges", "json_parse"), (), ()),
    "POLICY_BOUNDARY": (("policy_cross",), (), ()),
    "IPV6": (("decode_ipv6",), (), ()),
    "LINK_EXTRA": (("decode_extra", "decode_mpls", "decode_pppoe"), (), ()),
    "MIRROR": (("mirror_add", "mirror_enter"), (), ("--mirror", "--mirror-vni")),
    "FRAGMENTS": (("fragment_table_new", "fragment_attribute"), (), ("--fragments",)),
    "FILTER": ((), ("pcap_compile", "pcap_setfilter"), ("--filter", "-f")),
    "LIVE": (("capture_open_live", "ifaddr_read", "nic_read", "rtnl_ask", "identity_check_interface"), ("pcap_create", "pcap_activate"), ("-i", "--ring-kib")),
    "STREAM": (("spool_new", "uplink_new", "tls_connect", "batch_finish", "session_stream_open", "wire_hello_encode", "crypto_sha256"),
               ("mbedtls_ssl_handshake", "mbedtls_x509_crt_parse", "protobuf_c_message_pack"),
               ("--collector", "--spool-kib", "--ca")),
    "NAMES": (("names_take", "dns_read", "tls_read", "http_read", "batch_add_dns", "dns_log_print"), (), ("--dns-log",)),
    "RHYTHM": (("rhythm_new", "rhythm_note"), (), ()),
    "HOST": (("session_host_tell",), (), ()),
    "TAIL": (("tail_tick", "tail_opener_start", "batch_add_log", "ring_give_up_logs"), (), ("--tail", "--tail-from", "--tail-kib-s")),
    "CANARY": (("canary_next", "session_canary_open"), (), ()),
    "BLIND": (("blind_compare", "session_blind_look", "taps_sockets"), (), ("--blind-s", "--reader")),
    "IMDS": (("imds_step", "session_identity_open", "own_add"), (), ("--identity",)),
    "METRICS": (("responder_new", "session_metrics_open", "metrics_count"), ("accept4",), ("--metrics", "--metrics-remote")),
    "SPOOL_FILE": (("spool_file_open", "ring_recover"), (), ()),
    "SECCOMP": (("sandbox_filter", "sandbox_seccomp"), (), ()),
    "LANDLOCK": (("sandbox_landlock",), (), ()),
    "LOG_DEBUG": (("log_debug",), (), ()),
}
# What is left out at once: a build takes ten seconds of two processors. FLOWPROOF_CONFIG=each: one after the other.
TOGETHER = (("POLICY_AWS", "LINK_EXTRA", "FILTER", "RHYTHM", "SECCOMP"), ("POLICY_BOUNDARY", "IPV6", "MIRROR", "HOST", "LANDLOCK"),
            ("FRAGMENTS", "CANARY", "TAIL", "BLIND"), ("IMDS", "METRICS", "SPOOL_FILE", "NAMES"), ("LIVE",), ("STREAM",), ("LOG_DEBUG",))
PROGRAMS = {"flowproof-sensor": "SENSOR", "flowproof-collector": "COLLECTOR"}
VALUES = {"LOG_DEBUG": ("BATCH_RECORDS=64",)}  # built with it, for also_log_debug()
ALERTS = ("ALERTS", "ALERT_SYSLOG", "ALERT_COMMAND", "ALERT_CURL")  # of the collector
DELIVER = ("DELIVER", "DELIVER_FILES", "DELIVER_S3", "DELIVER_CLOUDWATCH")
LOOP = (("loop_run", "session_run_loop"), ("event_base_loop",), ())  # when both LIVE and STREAM are out


def configure(name, off, values=(), program="flowproof-sensor"):
    """A tree of its own; one program alone. `values`: further lines, as NAME=VALUE."""
    top = build_dir()
    if os.path.basename(top) == "sanitize":
        top = os.path.dirname(top)  # the same sensors as without sanitizers
    d = os.path.join(top, "config", name)
    os.makedirs(d, exist_ok=True)
    text = "".join(f"# CONFIG_{o} is not set\n" for o in (*off, *(o for o in ("SENSOR", "COLLECTOR", "ANALYST") if o != PROGRAMS[program]))) + "".join(f"CONFIG_{v}\n" for v in values)
    path = os.path.join(d, "wanted")
    if not os.path.exists(path) or open(path, encoding="ascii").read() != text:
        write(path, text)
        write(os.path.join(d, "config"), text)
    p = subprocess.run(["make", "--no-print-directory", "-C", ROOT, "-j2", f"O={d}", f"KCONFIG_CONFIG={d}/config", "CFLAGS=-O1",
                        "WERROR=-Werror", f"{d}/{program}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    check(p.returncode == 0, p.stdout[-3000:])
    return os.path.join(d, program)


def symbols(program):
    return {line.split()[-1].split("@")[0] for line in
            subprocess.run(["nm", program], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()}


def needed(program):
    out = subprocess.run(["readelf", "-dW", program], stdout=subprocess.PIPE, text=True, check=True).stdout
    return set(re.findall(r"NEEDED.*\[(lib[a-z_]+)", out))


def run(program, *args):
    p = subprocess.run([program, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    return Result(p.returncode, p.stdout, p.stderr)


def ethernet4():
    """What every sensor decodes."""
    return [p for p in sorted(make.udp_both() + make.tcp_flags() + make.icmp(), key=lambda p: p.ns) if p.data[12:14] == b"\x08\0"]


def keeps(whole, program, d):
    """-r and -o -, on IPv4 over Ethernet: byte for byte."""
    capture = write(os.path.join(d, "plain.pcap"), make.pcap(ethernet4()))
    want, got = run(whole, "-r", capture).expect(0), run(program, "-r", capture, "-o", "-").expect(0)
    equal(got.out, want.out, "records")
    equal(summary(got.err), summary(want.err), "equation")
    check(got.out.count("\n") > 5, "no records")


def also_log_debug(program, d):
    """Whatever the size of a batch, of a turn and of the table, the ledger holds the same, added up by key and minute."""
    capture = write(os.path.join(d, "many.pcap"), make.pcap(make.many_flows()))
    pki = Pki(os.path.join(d, "pki"))
    pki.issue("i-batch")
    held = []
    for sensor, slots in ((configure("whole", ()), "65536"), (program, "64")):
        store = os.path.join(d, f"store{len(held)}")
        with collector(store, "127.0.0.1:0", pki.options("collector")) as c:
            run(sensor, "--flow-slots", slots, "-r", capture, "-s", c.address, "--id", "i-batch", *pki.options("i-batch")).expect(0)
            c.stop()
        held.append(harness.run("flowproof", "records", "-d", store, "-F", make.GOLDEN).expect(0).out)
    same_sums(held[0], make.expected(make.many_flows(), make.GOLDEN))
    same_sums(held[1], held[0])


def main():
    tap = Tap()
    with folder() as d:
        with tap.case("everything on: all that is looked for below is there"):
            whole = configure("whole", ())
            have = symbols(whole)
            for own, foreign, _ in (*OPTIONS.values(), LOOP):
                equal([s for s in (*own, *foreign) if s not in have], [], "symbols that are missing")
        each = os.environ.get("FLOWPROOF_CONFIG") == "each"
        equal(sorted(o for g in TOGETHER for o in g), sorted(OPTIONS), "options left out, in some configuration")
        for group in ([o] for o in OPTIONS) if each else TOGETHER:
            with tap.case(f"without {', '.join(group)}: not in the program, and the rest works"):
                program = configure("-".join(group), group, [v for o in group for v in VALUES.get(o, ())])
                for own, foreign, command in (OPTIONS[o] for o in group):
                    equal(sorted(symbols(program) & {*own, *foreign}), [], "still in the program")
                    for c in command:
                        match("unknown|not an option|unrecogni|no option|invalid", run(program, c, "x", "-r", "-").expect(2).err, c)
                keeps(whole, program, d)
                for option in group:
                    globals().get("also_" + option.lower(), lambda *_: None)(program, d)
        with tap.case("without any of them: no event loop and no TLS"):
            program = configure("none", OPTIONS)
            gone = {s for own, foreign, _ in (*OPTIONS.values(), LOOP) for s in (*own, *foreign)}
            equal(sorted(symbols(program) & gone), [], "still in the program")
            equal(sorted(needed(program) & {"libevent_core", "libmbedtls", "libmbedx"}), [], "libraries")
            check("libpcap" in needed(program), "readelf's output was not understood")
            keeps(whole, program, d)
        with tap.case("a collector without ALERT_CURL, ALERT_COMMAND, DELIVER, PAGE and JETSTREAM: no libcurl, no gzip, no libnats, no HTTP, no execve, and their settings are unknown"):
            program = configure("alerts", ("ALERT_CURL", "ALERT_COMMAND", "PAGE", "JETSTREAM", *DELIVER), program="flowproof-collector")
            equal(sorted(needed(program) & {"libcurl", "libz", "libisal", "libnats"}), [], "libraries")
            equal([s for s in symbols(program) if re.match("deliver|slots_|gzip_|aws_|s3_|cloudwatch_|sigv4_|credentials_|relay_|front_|writer_|jetstream_|page_|web_|html_|gather_(begin|facts|settle)|verdict_", s)], [], "still in the program")
            check("libevent_core" in str(needed(program)), "readelf's output was not understood")
            equal(sorted(symbols(program) & {"execve", "fexecve", "alert_webhook_open", "alert_tls_open", "alert_command_open"}), [], "still in the program")
            check("alert_syslog_open" in symbols(program), "syslog is gone too")
            for option in ("--alert-webhook", "--alert-command", "--deliver-files", "--deliver-state", "--s3-bucket", "--cloudwatch-group", "--aws-region", "--http", "--http-token-file", "--to-jetstream", "--from-jetstream"):
                match("unknown|not an option|unrecogni|no option|invalid", run(program, option, "/x").expect(2).err, option)
        with tap.case("all_defconfig names every option that can be switched"):
            with open(os.path.join(ROOT, "configs", "all_defconfig"), encoding="ascii") as f:
                said = set(re.findall(r"^CONFIG_(\w+)=y$", f.read(), re.M))
            there = set()
            for path in [os.path.join(ROOT, "Kconfig"), *glob.glob(os.path.join(ROOT, "*", "Kconfig"))]:
                with open(path, encoding="utf-8") as f:
                    there |= set(re.findall(r"^(?:menu)?config (\w+)\n\tbool \"", f.read(), re.M))
            equal(sorted(said), sorted(there))
            equal(sorted(set(OPTIONS) - there), [], "options tested and not there")
            equal(sorted(there - set(OPTIONS) - {"SENSOR", "COLLECTOR", "ANALYST", "PAGE", "JETSTREAM", *ALERTS, *DELIVER}), [], "options there and not tested")
    tap.done()


def also_ipv6(program, d):
    packets = sorted(make.udp_both() + make.options_and_chains(), key=lambda p: p.ns)
    six = sum(1 for p in packets if p.data[12:14] == b"\x86\xdd")
    check(0 < six < len(packets), "both families")
    said = summary(run(program, "-r", write(os.path.join(d, "six.pcap"), make.pcap(packets))).expect(0).err)
    equal(said["not-ip reasons"].get("ipv6"), six, "frames told as IPv6")
    equal((said["received"], said["recorded"]), (len(packets), len(packets) - six), "received, recorded")


def also_link_extra(program, d):
    packets = make.tagged()
    extra = sum(1 for p in packets if p.data[12:14] in (b"\x88\x47", b"\x88\x64"))
    equal(extra, 2, "one of MPLS, one of PPPoE")
    said = summary(run(program, "-r", write(os.path.join(d, "tagged.pcap"), make.pcap(packets))).expect(0).err)
    equal(said["not-ip reasons"], {"arp": 1, "link-extra": extra}, "reasons")
    other = run(program, "-r", write(os.path.join(d, "sll.pcap"), make.pcap(make.udp_both(), link=113))).expect(3)
    match("link type 113", other.err)


def also_seccomp(program, d):
    del d
    result = run(program, "--self-test").expect(1)
    match("^FAIL seccomp: not in this build: switched off$", result.out)


if __name__ == "__main__":
    main()
