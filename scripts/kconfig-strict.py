#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kconfig-strict.py KCONFIG DOTCONFIG [AUTO_CONF AUTOCONF_H]

Completes DOTCONFIG with defaults and writes what make and the compiler include. Kconfiglib drops an unknown symbol and
an out-of-range value with a mere warning; here both are errors. AUTO_CONF also gets CONFIGURATION="NAME DIGEST": the name of
the configs/NAME_defconfig that says the same, or "other", and the first 12 digits of the SHA-256 of all values.
"""
import glob
import hashlib
import os
import sys

import kconfiglib



def values(k):
    return "".join(f"{s.name}={s.str_value}\n" for s in k.unique_defined_syms if s.nodes and s.nodes[0].prompt)


def configuration(k, path):
    """Leaves `k` with the values of `path`."""
    wanted = values(k)
    names = [os.path.basename(d)[:-len("_defconfig")] for d in glob.glob("configs/*_defconfig")]
    for name in sorted(names, key=lambda n: (n != "default", n)):
        k.load_config(f"configs/{name}_defconfig")
        if values(k) == wanted:
            break
    else:
        name = "other"
    k.load_config(path)
    return f"{name} {hashlib.sha256(wanted.encode()).hexdigest()[:12]}"


kconfig = kconfiglib.Kconfig(sys.argv[1], warn_to_stderr=False)
kconfig.warn_assign_undef = True
kconfig.load_config(sys.argv[2])
if kconfig.warnings:
    for warning in kconfig.warnings:
        print(warning.rstrip(), file=sys.stderr)
    sys.exit(f"{sys.argv[2]}: not accepted; mend it, or start again with `make alldefconfig`")
kconfig.write_config(sys.argv[2], save_old=False)
if len(sys.argv) > 3:
    auto_conf, autoconf_h = sys.argv[3:5]
    name = configuration(kconfig, sys.argv[2])
    kconfig.write_config(auto_conf, save_old=False)
    with open(auto_conf, "a", encoding="ascii") as f:
        f.write(f'CONFIGURATION="{name}"\n')
    kconfig.write_autoconf(autoconf_h)
    for path in (auto_conf, autoconf_h):
        os.utime(path)
