# SPDX-License-Identifier: Apache-2.0
"""A second witness for tests: what passes an interface, by a packet socket of its own, as VPC Flow Logs text.

It shares nothing with the sensor. As Flow Logs do, it adds up by flow in aligned windows and says NODATA where a window was silent; DNS to
the resolver that is named is left out, as DNS to the VPC's is.
"""
import time

import net

FIELDS = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
WINDOW_S = 60


class FlowLogs(net.Witness):
    def __init__(self, namespace, device, interface="eni-0test", resolver=None):
        self.interface, self.resolver = interface, resolver
        self.rows = {}  # (window, key): [packets, bytes, first, last]
        self.begin = int(time.time())
        super().__init__(namespace, device)

    def count(self, frame):
        before = {k: tuple(v) for k, v in self.flows.items()}
        super().count(frame)
        now = int(time.time())
        for key, row in self.flows.items():
            packets, size = (a - b for a, b in zip(row[:2], before.get(key, (0, 0))))
            if not packets or (key[4] == 17 and self.resolver in key[:2] and 53 in key[2:4]):
                continue
            entry = self.rows.setdefault((now - now % WINDOW_S, key), [0, 0, now, now])
            entry[0] += packets
            entry[1] += size
            entry[3] = now

    def text(self, header=True):
        """Of all windows up to now; after stop()."""
        lines = [FIELDS] if header else []
        end = int(time.time())
        for window in range(self.begin - self.begin % WINDOW_S, end + 1, WINDOW_S):
            rows = sorted((k, v) for (w, k), v in self.rows.items() if w == window)
            for (src, dst, sport, dport, proto), (packets, size, first, last) in rows:
                lines.append(f"2 - {self.interface} {src} {dst} {sport} {dport} {proto} {packets} {size} {first} {last} ACCEPT OK")
            if not rows:
                lines.append(f"2 - {self.interface} - - - - - - - {window} {window + WINDOW_S - 1} - NODATA")
        return "\n".join(lines) + "\n"
