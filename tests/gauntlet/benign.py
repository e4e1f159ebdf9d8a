# SPDX-License-Identifier: Apache-2.0
"""What a well-kept machine does all day, by the names of the table's benign part: nothing of it may be told above `info`."""
import socket
import struct

import frames
from frames import Connection, noise
from live import live, outside_ping
from live_names import CREDENTIALS, get, learn, token
import payloads
from saved import DAY, HOUR, RESOLVER, beats, saved
import world
from world import METADATA, TIME


@live
def package_update(room):
    """Names, HTTP for the index, TLS for the packages, from one mirror."""
    for text in ("archive.ubuntu.com", "security.ubuntu.com"):
        learn(room, text)
        room.ask(text, payloads.AAAA)
    room.listen(80, lambda conn: world.reply_once(conn, b"HTTP/1.1 200 OK\r\n\r\n" + b"d" * 200000))
    for path in ("InRelease", "main/binary-amd64/Packages.xz"):
        room.exchange(80, f"GET /ubuntu/dists/noble/{path} HTTP/1.1\r\nHost: archive.ubuntu.com\r\n\r\n".encode())
    room.tls(443, "security.ubuntu.com", ("http/1.1",))


@live
def many_mirrors(room):
    """One port of twelve addresses, each answers."""
    for i in range(12):
        room.remote = f"198.18.1.{40 + i}"
        host = f"al2023-repos-{i}.cdn.amazonlinux.com"
        learn(room, host)
        room.tls(443, host)


@live
def backup(room):
    """4 MiB to the owner's bucket."""
    host = "my-company-backup.s3.eu-west-1.amazonaws.com"
    learn(room, host)
    room.tls(443, host, data=frames.noise(4 << 20))


@live
def time_sync(room):
    s = room.own(socket.SOCK_DGRAM, remote=TIME)
    for _ in range(4):
        s.sendto(payloads.ntp(), (TIME, 123))
        s.recv(100)


@live
def dhcp_renewal(room):
    s = room.own(socket.SOCK_DGRAM, "0.0.0.0", 68)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
    s.sendto(payloads.dhcp(room.mac), ("255.255.255.255", 67))


@live
def arp_and_neighbours(room):
    """Who has the router, asked and announced; its IPv6 counterpart; a group joined."""
    target = frames.packed(f"10.77.{room.number}.1")
    for _ in range(3):
        room.frame(bytes.fromhex("0001080006040001") + room.mac + frames.packed(room.address) + b"\0" * 6 + target, dst=b"\xff" * 6,
                   ethertype=0x0806)
    group = "ff02::1:ff00:1"
    body = struct.pack(">BBHI", 135, 0, 0, 0) + frames.packed("fe80::1") + b"\1\1" + room.mac
    room.frame(frames.ip(room.link6, group, frames.ICMP6, frames.summed(room.link6, group, frames.ICMP6, body, 2)), dst=b"\x33\x33\xff\0\0\1")
    return frames.packed(group)


@live
def ordinary_names(room):
    """Names of ordinary software, the long and random-looking ones of content networks among them."""
    s = room.own(socket.SOCK_DGRAM, remote=world.RESOLVER)
    hosts = ["www.example.com", "api.github.com", "d3c33hcgiwev3.cloudfront.net", "e6858.dscx.akamaiedge.net", "ssm.eu-west-1.amazonaws.com",
             "ec2messages.eu-west-1.amazonaws.com", "s3-1-w.amazonaws.com", "r3---sn-4g5e6nzz.googlevideo.com",
             "prod-eu-west-1-0123456789abcdef.elb.eu-west-1.amazonaws.com", "my-company-artifacts-0a1b2c3d4e5f.s3.eu-west-1.amazonaws.com",
             "2.0.77.10.in-addr.arpa", "_http._tcp.archive.ubuntu.com", "archive.ubuntu.com", "security.ubuntu.com", "pypi.org", "files.pythonhosted.org",
             "registry-1.docker.io", "auth.docker.io", "production.cloudflare.docker.com", "b.root-servers.net"]
    number = 0
    for host in hosts:
        for qtype in (payloads.A, payloads.AAAA):
            number += 1
            room.ask(host, qtype, s=s, ident=number)


@live
def agent_credentials(room):
    """The role's credentials with a token, as every SDK gets them."""
    t = token(room)
    role = room.http(get(CREDENTIALS, t)).decode()
    room.http(get(CREDENTIALS + role, t))
    room.http(get("/latest/meta-data/placement/region", t))
    return frames.packed(METADATA)


@live
def administrator(room):
    """SSH from the administrators' network."""
    listener = room.own(socket.SOCK_STREAM, port=22)
    world.serve(listener, lambda conn: (conn.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), world.reply_once(conn, b"o" * 20000)))
    s = room.outside(0, socket.SOCK_STREAM)
    s.connect((room.address, 22))
    s.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    s.shutdown(socket.SHUT_WR)
    while s.recv(65536):
        pass
    listener.shutdown(socket.SHUT_RDWR)


@live
def monitoring_ping(room):
    """Pinged from the monitoring's network."""
    outside_ping(room, 4)


def resolved(c, host, number=0):
    """The capture begins with the name's resolution."""
    q = payloads.query(host, payloads.A, number)
    c.udp(0, 42000, 53, q, payloads.answer(q, c.remote), RESOLVER)


@saved
def service_session(c):
    """SSM's kind of TLS: one connection all day, a keep-alive every 60 s and now and then more."""
    host = "ssmmessages.eu-west-1.amazonaws.com"
    resolved(c, host)
    link = Connection(c, 5, 30000, 443)
    link.say(6, payloads.client_hello(host), noise(1200))
    for i, t in enumerate(beats(c, 60, 0, 8 * HOUR)):
        link.say(t, noise(60 if i % 50 else 1200, i), noise(60, i))


@saved
def metrics_agent(c):
    """A TLS connection every 60 s, some KB up."""
    host = "monitoring.eu-west-1.amazonaws.com"
    resolved(c, host)
    hello = payloads.client_hello(host)
    for i, t in enumerate(beats(c, 60, 0.02, 6 * HOUR)):
        link = Connection(c, t, 30000 + i, 443)
        link.say(t + 0.05, hello, noise(1300))
        for j in range(3):
            link.say(t + 0.1 + j / 50, noise(1400, j), noise(80, j))
        link.end(t + 0.3)


@saved
def daily_time_and_lease(c):
    """NTP every 17 minutes and a lease every half hour, for a day."""
    for i in range(85):
        c.udp(i * 1024, 123, 123, payloads.ntp(i * 1024), payloads.ntp(i * 1024), TIME)
    for i in range(48):
        c.udp(i * 1800 + 3, 68, 67, payloads.dhcp(b"\2" * 6), payloads.dhcp(b"\2" * 6), "10.77.200.1")


@saved
def resolver_all_day(c):
    """The names of three agents, again and again as their TTL ends."""
    hosts = ("ssmmessages.eu-west-1.amazonaws.com", "monitoring.eu-west-1.amazonaws.com", "ec2messages.eu-west-1.amazonaws.com")
    for i, t in enumerate(beats(c, 60, 0.01, DAY / 2)):
        q = payloads.query(hosts[i % 3], payloads.A, i)
        c.udp(t, 42000 + i % 9000, 53, q, payloads.answer(q), RESOLVER)


@saved
def path_mtu(c):
    """A router on the way says that a packet of an expected connection is too big (RFC 1191)."""
    host = "logs.eu-west-1.amazonaws.com"
    resolved(c, host)
    link = Connection(c, 1, 30000, 443)
    link.say(1.1, payloads.client_hello(host), noise(1400))
    link.say(1.2, noise(1400), noise(100))
    sent = c.packets[-3].data[14:]  # the segment of 1,400 bytes
    error = struct.pack(">BBHHH", 3, 4, 0, 0, 1400) + sent[:28]
    error = error[:2] + struct.pack(">H", frames.make.checksum(error)) + error[4:]
    c.put(1.25, frames.ip("192.0.2.1", c.local, frames.ICMP, error))
    link.end(2)


def ask_all(c, names, qtype=payloads.A):
    for i, text in enumerate(names):
        q = payloads.query(text, qtype, i)
        c.udp(i * 20, 20000 + i, 53, q, payloads.answer(q), RESOLVER)


@saved
def reverse_lookups(c):
    """A log analyser asks for the names of 400 addresses."""
    ask_all(c, [f"{i % 250 + 1}.{i // 7}.51.198.in-addr.arpa" for i in range(400)], payloads.PTR)


@saved
def names_of_a_fleet(c):
    """300 neighbours by the names that the VPC gives them."""
    ask_all(c, [f"ip-10-77-{i // 200}-{i % 200}.eu-west-1.compute.internal" for i in range(300)])


@saved
def many_buckets(c):
    """A job over 250 buckets."""
    ask_all(c, [f"team-{i}-data-{noise(4, i).hex()}.s3.eu-west-1.amazonaws.com" for i in range(250)])


@saved
def web_crawler(c):
    """1,500 names of 500 sites, content networks among them."""
    ask_all(c, [f"{sub}.site-{i}.example" for i in range(500) for sub in ("www", "static", "cdn")] +
            [f"d{noise(6, i).hex()}x.cloudfront.net" for i in range(60)])
