#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deps.sh GROUP...   Installs the Debian packages of the groups that are missing. The one place that knows their names.
set -eu

build="gcc libc6-dev libpcap-dev libevent-dev libmbedtls-dev libprotobuf-c-dev protobuf-c-compiler zlib1g-dev libisal-dev libcurl4-openssl-dev libnats-dev python3 python3-kconfiglib"
test="libcmocka-dev iproute2 iputils-ping openssl procps python3-jsonschema tzdata"
# make static: the C library and the other libraries are built from source (scripts/deps-static.sh).
static="gcc libc6-dev file flex bison make dpkg-dev patch debian-archive-keyring python3-kconfiglib protobuf-c-compiler"
armhf="gcc-arm-linux-gnueabihf linux-libc-dev-armhf-cross"
arm64="gcc-aarch64-linux-gnu linux-libc-dev-arm64-cross"
mips="gcc-mips-linux-gnu linux-libc-dev-mips-cross"
emulate="qemu-user-static"
boot="qemu-system-arm cpio"
# make deb, make rpm; strip(1) of binutils comes with gcc.
pack="rpm dpkg-dev systemd python3-yaml curl"
check="clang clang-format cppcheck mandoc"
# make test-deliver: Ceph's S3, AWS's own signers and models of its services.
deliver="radosgw ceph-mon ceph-osd python3-botocore nats-server openssl"
npm="nodejs npm"
# make test-browser.
browser="chromium nodejs npm fonts-ipafont-gothic openssl prometheus"
# What `make bench` compares with. YAF and ipfixprobe are not in Debian; an installed yaf takes part.
bench="iproute2 tcpdump softflowd nfdump argus-server argus-client pmacct"

missing=
for group in "$@"; do
	case $group in
	build) packages=$build ;;
	test) packages=$test ;;
	check) packages=$check ;;
	static) packages=$static ;;
	armhf) packages=$armhf ;;
	arm64) packages=$arm64 ;;
	mips) packages=$mips ;;
	emulate) packages=$emulate ;;
	bench) packages=$bench ;;
	browser) packages=$browser ;;
	boot) packages=$boot ;;
	deliver) packages=$deliver ;;
	npm) packages=$npm ;;
	pack) packages=$pack ;;
	*) echo "deps.sh: no group '$group' (build, test, check, static, armhf, arm64, mips, emulate, boot, pack, deliver, npm, bench, browser)" >&2; exit 2 ;;
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
# RUNLEVEL: what is installed is not started.
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive $install >/dev/null
