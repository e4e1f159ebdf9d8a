# SPDX-License-Identifier: Apache-2.0
"""Keys for tests, made by the program under test, and the daemons that use them."""
import os

from harness import Daemon, run


class Pki:
    def __init__(self, folder):
        self.folder = folder
        run("flowproof", "pki", "init", "-d", folder).expect(0)
        self.ca = os.path.join(folder, "ca.crt")

    def issue(self, name, *args):
        run("flowproof", "pki", "issue", "-d", self.folder, name, *args).expect(0)
        return self.pair(name)

    def pair(self, name):
        """(certificate, key)"""
        return tuple(os.path.join(self.folder, f"{name}.{end}") for end in ("crt", "key"))

    def options(self, name, ca=None):
        cert, key = self.pair(name)
        return ["--ca", ca or self.ca, "--cert", cert, "--key", key]


def collector(store, listen, options, prefix=()):
    """A collector that listens; its address is in `.address`."""
    d = Daemon("flowproof-collector", "-d", store, "-l", listen, *options, prefix=prefix)
    try:
        d.address = d.wait_for(r"listening on (\S+)", "err")[0][1]
    except BaseException:
        d.kill()
        raise
    return d
