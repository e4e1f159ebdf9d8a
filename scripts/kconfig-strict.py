#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kconfig-strict.py KCONFIG DOTCONFIG [AUTO_CONF AUTOCONF_H]

Completes DOTCONFIG with defaults and writes what make and the compiler include. Kconfiglib drops an unknown symbol and
an out-of-range value with a mere warning; here both are errors.
"""
import os
import sys

import kconfiglib

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
    kconfig.write_config(auto_conf, save_old=False)
    kconfig.write_autoconf(autoconf_h)
    for path in (auto_conf, autoconf_h):
        os.utime(path)
