#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deps.sh GROUP...   Installs the Debian packages of the groups that are missing. The one place that knows their names.
set -eu

build="gcc libc6-dev libpcap-dev libevent-dev libmbedtls-dev libprotobuf-c-dev protobuf-c-compiler python3 python3-kconfiglib"
test="libcmocka-dev iproute2 iputils-ping openssl procps"
check="clang clang-format cppcheck mandoc"

missing=
for group in "$@"; do
	case $group in
	build) packages=$build ;;
	test) packages=$test ;;
	check) packages=$check ;;
	*) echo "deps.sh: no group '$group' (build, test, check)" >&2; exit 2 ;;
	esac
	for p in $packages; do
		[ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null)" = "ii " ] || missing="$missing $p"
	done
done
[ -n "$missing" ] || exit 0

install="apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends$missing"
echo "deps: this needs Debian packages that are not installed:$missing"
if [ "$(id -u)" != 0 ]; then
	echo "deps: run this as root, then again:  apt-get update && $install" >&2
	exit 1
fi
echo "deps: installing them now with apt-get"
apt-get -qq update
DEBIAN_FRONTEND=noninteractive $install >/dev/null
