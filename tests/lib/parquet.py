# SPDX-License-Identifier: Apache-2.0
"""A reader of Parquet, of the format's documents (parquet.thrift, Encodings.md) and nothing else: flat files, gzip, pages of version 1.

It checks what other readers pass over: that sizes, counts and statistics say what is there."""
import gzip
import struct

from harness import check, equal

TYPES = {1: "INT32", 2: "INT64", 6: "BYTE_ARRAY"}


class Compact:
    """Thrift's compact protocol: a struct as {id: value}."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def varint(self):
        value = shift = 0
        while True:
            b = self.byte()
            value |= (b & 0x7f) << shift
            shift += 7
            if b < 0x80:
                return value

    def zigzag(self):
        n = self.varint()
        return n >> 1 ^ -(n & 1)

    def value(self, kind):
        if kind in (1, 2):
            return kind == 1
        if kind in (5, 6):
            return self.zigzag()
        if kind == 8:
            n = self.varint()
            self.at += n
            check(self.at <= len(self.data), "a binary is cut")
            return bytes(self.data[self.at - n:self.at])
        if kind == 9:
            head = self.byte()
            n = self.varint() if head >> 4 == 15 else head >> 4
            return [self.value(head & 15) for _ in range(n)]
        equal(kind, 12, "thrift type")
        return self.struct()

    def struct(self):
        found, last = {}, 0
        while head := self.byte():
            last = last + (head >> 4) if head >> 4 else self.zigzag()
            check(last not in found, f"field {last} twice")
            found[last] = self.value(head & 15)
        return found


def hybrid(data, at, width, n):
    """RLE and bit-packed runs until there are n values."""
    c, out = Compact(data, at), []
    while len(out) < n:
        head = c.varint()
        size = (width + 7) // 8
        if head & 1:
            groups = head >> 1
            bits = int.from_bytes(data[c.at:c.at + groups * width], "little")
            c.at += groups * width
            out += [bits >> width * i & (1 << width) - 1 for i in range(groups * 8)]
        else:
            out += [int.from_bytes(data[c.at:c.at + size], "little")] * (head >> 1)
            c.at += size
    return out[:n], c.at


def plain(data, at, kind, n):
    out = []
    for _ in range(n):
        if kind == "BYTE_ARRAY":
            size, = struct.unpack_from("<I", data, at)
            out.append(data[at + 4:at + 4 + size].decode())
            at += 4 + size
        else:
            size = 4 if kind == "INT32" else 8
            out.append(int.from_bytes(data[at:at + size], "little", signed=True))
            at += size
    equal(at, len(data), "bytes of values")
    return out


def read_chunk(data, meta, limits):
    kind, n = TYPES[meta[1]], meta[5]
    begin = meta.get(11, meta[9])
    c, values, dictionary, unpacked = Compact(data, begin), [], None, 0
    while len(values) < n:
        at = c.at
        head = c.struct()
        body = gzip.decompress(data[c.at:c.at + head[3]])
        unpacked += c.at - at + len(body)
        c.at += head[3]
        equal(len(body), head[2], "uncompressed_page_size")
        if head[1] == 2:
            equal(at, meta[11], "dictionary_page_offset")
            check(head[7][1] <= limits["dictionary"] and len(body) <= limits["page"] + 1024, "a dictionary that is too large")
            dictionary = plain(body, 0, kind, head[7][1])
            equal(len(set(dictionary)), len(dictionary), "distinct values of a dictionary")
            continue
        if not values:
            equal(at, meta[9], "data_page_offset")
        count = head[5][1]
        check(count <= limits["rows"] and len(body) <= limits["page"] + 64 * 1024, f"a page that is too large: {count} values, {len(body)} bytes")
        size, = struct.unpack_from("<I", body)
        there, end = hybrid(body, 4, 1, count)
        equal(end, 4 + size, "length of the levels")
        if head[5][2] == 8:
            width = body[end]
            index, end = hybrid(body, end + 1, width, sum(there))
            equal(end, len(body), "bytes of a page")
            got = iter([dictionary[i] for i in index])
        else:
            equal(head[5][2], 0, "encoding")
            got = iter(plain(body[end:], 0, kind, sum(there)))
        values += [next(got) if t else None for t in there]
    equal(len(values), n, "num_values")
    equal(c.at - begin, meta[7], "total_compressed_size")
    equal(unpacked, meta[6], "total_uncompressed_size")
    check(meta[4] == 2, "codec")
    known = [v for v in values if v is not None]
    statistics = meta[12]
    equal(statistics[3], n - len(known), "null_count")
    if known:
        order = (lambda v: v.encode()) if kind == "BYTE_ARRAY" else (lambda v: v)
        raw = (lambda v: v.encode()) if kind == "BYTE_ARRAY" else (lambda v: v.to_bytes(4 if kind == "INT32" else 8, "little", signed=True))
        equal((statistics[6], statistics[5]), (raw(min(known, key=order)), raw(max(known, key=order))), "min_value, max_value")
    else:
        check(5 not in statistics and 6 not in statistics, "statistics of NULLs")
    return values


def read(path, rows=20000, page=512 * 1024, dictionary=64 * 1024):
    """(names, types, row groups' sizes, rows)"""
    with open(path, "rb") as f:
        data = f.read()
    equal((data[:4], data[-4:]), (b"PAR1", b"PAR1"), "magic")
    size, = struct.unpack("<I", data[-8:-4])
    footer = Compact(data[-8 - size:-8])
    meta = footer.struct()
    equal(footer.at, size, "length of the footer")
    root, *columns = meta[2]
    equal(root[5], len(columns), "num_children")
    names = [c[4].decode() for c in columns]
    for c in columns:
        equal(c[3], 1, "OPTIONAL")
        equal(c[6], {6: 0, 1: 17, 2: 18}[c[1]], "converted_type")
    equal(meta[7], [{1: {}}] * len(columns), "column_orders")
    table, sizes, at = [], [], 4
    for group in meta[4]:
        equal([c[3][3] for c in group[1]], [[n.encode()] for n in names], "path_in_schema")
        limits = {"rows": rows, "page": page, "dictionary": dictionary}
        got = [read_chunk(data, c[3], limits) for c in group[1]]
        equal({len(c) for c in got}, {group[3]}, "rows of a group")
        equal((group[5], group[2]), (at, sum(c[3][6] for c in group[1])), "file_offset, total_byte_size")
        at += group[6]
        sizes.append(group[3])
        table += zip(*got)
    equal(at, len(data) - 8 - size, "bytes of the row groups")
    equal(meta[3], len(table), "num_rows")
    return names, [TYPES[c[1]] for c in columns], sizes, [list(r) for r in table]
