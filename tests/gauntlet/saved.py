# SPDX-License-Identifier: Apache-2.0
"""The techniques that take hours: the suite writes what would have been captured, and the sensor reads it. A function each, by the
names of techniques.toml; it fills a frames.Capture."""
import frames
from frames import ACK, Connection, PSH, RST, SYN, UDP, noise
import payloads

SAVED = {}
LOCAL = "10.77.200.2"
RESOLVER = "10.77.0.2"
HOUR, DAY = 3600, 86400


def saved(f):
    SAVED[f.__name__.replace("_", "-")] = f
    return f


def beats(capture, interval, jitter, span, start=17.3):
    """Times that are `interval` apart, each off by up to `jitter` of it, as implants draw them: from the last one."""
    t = start
    while t < span:
        yield t
        t += interval * (1 + capture.random.uniform(-jitter, jitter))


def check_in(capture, second, sport, dport=443, up=180, down=90):
    c = Connection(capture, second, sport, dport)
    c.say(second + 0.05, noise(up, sport), noise(down, sport))
    c.end(second + 0.2)


def beacon(capture, interval, jitter, span):
    for i, t in enumerate(beats(capture, interval, jitter, span)):
        check_in(capture, t, 30000 + i)


@saved
def beacon_regular(c):
    beacon(c, 60, 0, 3 * HOUR)


@saved
def beacon_jitter_20(c):
    beacon(c, 60, 0.2, 3 * HOUR)


@saved
def beacon_jitter_50(c):
    beacon(c, 60, 0.5, 6 * HOUR)


@saved
def beacon_7_seconds(c):
    beacon(c, 7, 0.1, HOUR)


@saved
def beacon_15_minutes(c):
    beacon(c, 900, 0.1, DAY)


@saved
def beacon_6_hours(c):
    beacon(c, 6 * HOUR, 0.05, 5 * DAY)


@saved
def beacon_refused(c):
    for i, t in enumerate(beats(c, 300, 0.1, 12 * HOUR)):
        c.segment(t, True, 30000 + i, 443, SYN, seq=i)
        c.segment(t + 0.02, False, 30000 + i, 443, RST | ACK, ack=i + 1)


@saved
def beacon_unanswered(c):
    for i, t in enumerate(beats(c, 300, 0.1, 12 * HOUR)):
        for again in (0, 1, 3, 7):  # the kernel's retransmissions
            c.segment(t + again, True, 30000 + i, 443, SYN, seq=i)


@saved
def beacon_udp(c):
    for i, t in enumerate(beats(c, 120, 0.2, 6 * HOUR)):
        c.udp(t, 41000, 4500, noise(64, i))


@saved
def beacon_icmp(c):
    for i, t in enumerate(beats(c, 120, 0.1, 6 * HOUR)):
        c.echo(t, noise(frames.PING_SIZE, i), noise(frames.PING_SIZE, i), i)


@saved
def beacon_in_one_connection(c):
    link = Connection(c, 5, 30000, 8443)
    for i, t in enumerate(beats(c, 45, 0.1, 3 * HOUR)):
        link.say(t, noise(120, i), noise(40, i))


@saved
def beacon_many_addresses(c):
    """One beacon, another address of the same network at each beat."""
    for i, t in zip(range(180), beats(c, 60, 0.1, 4 * HOUR)):
        c.remote = f"198.51.100.{1 + i}"
        check_in(c, t, 30000 + i)


@saved
def beacon_dns(c):
    """The same name asked for every minute, the order in the TXT answer."""
    for i, t in enumerate(beats(c, 60, 0.1, 6 * HOUR)):
        q = payloads.query("orders.beacon-dns.example", payloads.TXT, i)
        c.udp(t, 42000 + i, 53, q, payloads.answer(q), RESOLVER)


@saved
def drip_hourly(c):
    for hour in range(24):
        check_in(c, hour * HOUR + c.random.uniform(0, HOUR), 30000 + hour)


@saved
def drip_daily(c):
    for day in range(4):
        check_in(c, day * DAY + c.random.uniform(0, DAY), 30000 + day)


@saved
def drip_icmp(c):
    for i in range(48):
        c.echo(i * 1800 + c.random.uniform(0, 1800), noise(frames.PING_SIZE, i), noise(frames.PING_SIZE, i), i)


def dns_drip(c, domain, alphabet, interval, count, per_query, qtype=payloads.TXT):
    for i, text in enumerate(payloads.tunnel_names(noise(count * per_query), domain, alphabet, per_query)):
        q = payloads.query(text, qtype, i)
        c.udp(i * interval + c.random.uniform(0, interval), 42000 + i, 53, q, payloads.answer(q), RESOLVER)


@saved
def dns_tunnel_slow(c):
    dns_drip(c, "slow.tunnel-slow.example", "base32", 45, 480, 30)


@saved
def dns_tunnel_very_slow(c):
    dns_drip(c, "tunnel-crawl.example", "hex", 1800, 144, 12, payloads.A)


@saved
def dns_tunnel_words(c):
    """48 bytes, each byte one of 256 words, three words a name."""
    syllables = ("ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "qui", "ro", "su", "ta")
    data = noise(48)
    for i in range(0, len(data), 3):
        words = [syllables[b >> 4] + syllables[b & 15] + "ns" for b in data[i:i + 3]]
        q = payloads.query("-".join(words) + ".weather-report.example", payloads.A, i)
        c.udp(i * 20, 42000 + i, 53, q, payloads.answer(q), RESOLVER)


@saved
def dns_tunnel_many_domains(c):
    """2,000 bytes, hex, each question below another of 100 domains."""
    for i in range(100):
        q = payloads.query(f"{noise(20, i).hex()}.domain-{i}.example", payloads.A, i)
        c.udp(i * 5, 42000 + i, 53, q, payloads.answer(q), RESOLVER)


@saved
def dns_tunnel_reverse(c):
    """Below a reverse zone, which whoever has the addresses gets."""
    dns_drip(c, "113.0.203.in-addr.arpa", "hex", 5, 60, 24, payloads.PTR)


@saved
def dns_tunnel_forged_parent(c):
    """To a resolver of the intruder's, below a domain that is not the intruder's."""
    for i, text in enumerate(payloads.tunnel_names(noise(1500), "cloudfront.net", "hex", 24)):
        q = payloads.query(text, payloads.A, i)
        c.udp(i * 5, 42000 + i, 53, q, payloads.answer(q))


@saved
def sweep_unanswered(c):
    for i in range(64):
        c.remote = f"192.88.99.{i + 1}"
        for again in (0, 1, 3, 7):
            c.segment(i * 20 + again, True, 30000 + i, 445, SYN)


@saved
def sweep_udp(c):
    for i in range(64):
        c.remote = f"192.88.97.{i + 1}"
        c.udp(i * 20, 41000, 161, noise(40, i))


@saved
def scan_slow(c):
    for i in range(40):
        c.segment(i * 900, True, 30000 + i, 1000 + 7 * i, SYN)


@saved
def volume_slow(c):
    """8 MiB over 12 hours in one connection; of each packet the head is kept."""
    link = Connection(c, 5, 30000, 443)
    size = 1440
    for i in range((8 << 20) // size):
        packet = frames.ip(c.local, c.remote, frames.TCP, frames.tcp(c.local, c.remote, 30000, 443, PSH | ACK, b"v" * 20, link.seq[True]))
        # The length that the header claims is that of the wire.
        packet = packet[:2] + (40 + size).to_bytes(2, "big") + packet[4:10] + b"\0\0" + packet[12:]
        packet = packet[:10] + frames.make.checksum(packet[:20]).to_bytes(2, "big") + packet[12:]
        c.put(6 + i * 12 * HOUR / ((8 << 20) // size), packet, 40 + size)


@saved
def volume_split(c):
    """4 MiB, 100 KiB to each of 40 addresses."""
    for i in range(40):
        c.remote = f"198.51.100.{1 + i}"
        link = Connection(c, i * 30, 30000 + i, 443)
        for j in range(72):
            link.say(i * 30 + 1 + j * 0.05, noise(1422, j))
        link.end(i * 30 + 10)


@saved
def under_way(c):
    """It was open before anybody watched: no handshake."""
    for i in range(10):
        c.segment(i * 5, True, 33333, 443, PSH | ACK, noise(100, i), 1000 + 100 * i, 9000 + 10 * i)
        c.segment(i * 5 + 0.02, False, 33333, 443, PSH | ACK, noise(10, i), 9000 + 10 * i, 1100 + 100 * i)


@saved
def flood_before(c):
    """8,000 destinations first, more than the sensor was given room for, then the one that matters."""
    for i in range(8000):
        c.put(i * 0.005, frames.ip(c.local, f"100.64.{i >> 8}.{i & 255}", UDP, frames.udp(c.local, c.remote, 41000, 7, b"x")))
    check_in(c, 60, 30000)
