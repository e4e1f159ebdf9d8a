#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deps-static.sh path TRIPLET           prints the folder of what is built for a processor
# deps-static.sh build TRIPLET...       builds what is not there yet
# deps-static.sh versions TRIPLET       what it was built from: NAME VERSION, a line each
# deps-static.sh licences              prints the licences of what is linked in
# deps-static.sh kernel ARCH SUITE PACKAGE   fetches Debian's kernel that PACKAGE depends on, prints its file;
#                                            beside it, in FILE.modules/, what a virtual network card needs, in order
# deps-static.sh unpacked ARCH SUITE PACKAGE...   the files of these packages in one folder, which it prints; nothing is installed
#
# What the static programs are linked with, from Debian's source packages: musl, libpcap, libevent, mbedTLS 3.6 and protobuf-c, no
# more of each than is used. lib/full is mbedTLS once more, with the server, and cmocka: for the unit tests and the collector.
# Kept below $FLOWPROOF_CACHE in a folder named after the hash of this recipe, the configuration and the compiler.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
cache=${FLOWPROOF_CACHE:-${HOME:-/root}/.cache/flowproof}
jobs=${JOBS:-$(nproc)}

say() { echo "deps-static: $*" >&2; }
die() { say "$*"; exit 1; }

prefix() {
	command -v "$1-gcc" >/dev/null || die "no compiler $1-gcc: make CROSS=... deps installs it"
	hash=$( (sed -n '/^# ---- the recipe/,/^# ---- end/p' "$top/scripts/deps-static.sh" && cat "$top/platform/mbedtls_config.h" &&
		"$1-gcc" --version | head -n 1) | sha256sum | cut -c 1-12)
	echo "$cache/$1-$hash"
}

# An apt of our own, so that nothing on this machine has to be changed. APT, the folder, is left behind.
keys=/usr/share/keyrings/debian-archive-keyring.gpg
apt_new() { # SUITE, deb or deb-src, ARCH
	APT=$cache/apt-$1-$2-$3
	rm -rf "$APT"
	mkdir -p "$APT/etc/apt/sources.list.d" "$APT/etc/apt/preferences.d" "$APT/etc/apt/apt.conf.d" \
		"$APT/var/lib/apt/lists/partial" "$APT/var/cache/apt/archives/partial" "$APT/var/lib/dpkg"
	: >"$APT/var/lib/dpkg/status"
	[ -n "$(apt-get indextargets 'Created-By: Packages')" ] || apt-get -qq update
	apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN)' 'Created-By: Packages' | sort -u |
		while read -r uri name origin; do
			case $origin/$name/$2 in
			Debian/*-security/deb-src) echo "$2 [signed-by=$keys] $uri $1-security main" ;;
			Debian/*-*/*) ;;
			Debian/*) echo "$2 [signed-by=$keys] $uri $1 main" ;;
			esac
		done >"$APT/etc/apt/sources.list"
	[ -s "$APT/etc/apt/sources.list" ] || die "apt knows no Debian archive: apt-get update first"
	of_apt apt-get -qq update
}
of_apt() { # apt-get or apt-cache, and its arguments
	tool=$1
	shift
	"$tool" -o Dir="$APT" -o Dir::State::status="$APT/var/lib/dpkg/status" -o APT::Sandbox::User=root -o Acquire::Retries=3 \
		-o APT::Architecture="${APT##*-}" -o APT::Architectures::="${APT##*-}" "$@"
}

modules="virtio virtio_ring virtio_mmio failover net_failover virtio_net"
kernel() { # ARCH SUITE PACKAGE
	file=$cache/kernel-$2-$3-$1
	if [ ! -e "$file" ] || [ ! -e "$file.modules/ready" ]; then
		mkdir -p "$cache"
		apt_new "$2" deb "$1"
		name=$(of_apt apt-cache depends "$3" | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p' | head -n 1)
		rm -rf "$file.modules" && mkdir -p "$file.modules" "$APT/files"
		(cd "$APT" && of_apt apt-get -qq download "$name" && dpkg-deb --fsys-tarfile "$name"_*.deb |
			tar -xC files --wildcards './boot/vmlinuz-*' $(for m in $modules; do echo "./lib/modules/*/$m.ko"; done) 2>/dev/null || :)
		n=0
		for m in $modules; do # some are built in
			n=$((n + 1))
			find "$APT/files/lib" -name "$m.ko" -exec cp {} "$file.modules/$n-$m.ko" \;
		done
		[ -e "$file.modules/6-virtio_net.ko" ] || die "no virtio_net.ko in $name"
		mv "$APT"/files/boot/vmlinuz-* "$file"
		touch "$file.modules/ready"
		rm -rf "$APT"
	fi
	echo "$file"
}

unpacked() { # ARCH SUITE PACKAGE...
	arch=$1 suite=$2
	shift 2
	tree=$cache/tree-$suite-$arch-$(echo "$@" | sha256sum | cut -c 1-12)
	if [ ! -e "$tree/ready" ]; then
		mkdir -p "$cache"
		rm -rf "$tree"
		apt_new "$suite" deb "$arch"
		mkdir -p "$tree/files/usr"
		for d in bin sbin lib; do mkdir "$tree/files/usr/$d" && ln -s "usr/$d" "$tree/files/$d"; done # as every machine has them now
		(cd "$APT" && of_apt apt-get -qq download "$@" && for d in *.deb; do
			dpkg-deb --fsys-tarfile "$d" | tar -x --keep-directory-symlink -C "$tree/files"
		done)
		rm -rf "$APT"
		touch "$tree/ready"
	fi
	echo "$tree/files"
}

# Sources: $cache/src-HASH/NAME/, one time stamp for all files, else autotools would be run again.
fetch() {
	sources=$cache/src-$(printf '%s' "$suites $newer $same" | sha256sum | cut -c 1-12)
	[ ! -e "$sources/ready" ] || return 0
	rm -rf "$sources" "$cache"/apt-* && mkdir -p "$sources/packed"
	cd "$sources/packed"
	for p in $newer $same; do
		from=bookworm
		case " $newer " in *" $p "*) from="$suites bookworm" ;; esac
		for s in $from; do
			APT=$cache/apt-$s-deb-src-$(dpkg --print-architecture)
			[ -e "$APT" ] || apt_new "$s" deb-src "$(dpkg --print-architecture)"
			of_apt apt-get source -qq --download-only "$p" >/dev/null 2>&1 && break
			say "$p: not to be had from $s"
			rm -f "$p"_*
			s=
		done
		[ -n "$s" ] || die "the sources of $p could not be fetched"
	done
	for d in *.dsc; do
		dpkg-source --no-check -x "$d" "$sources/${d%%_*}" >/dev/null 2>&1 || die "$d: cannot be unpacked (dpkg-dev is needed)"
		sed -n 's/^Source: /name /p; s/^Version: /version /p' "$d" | sort -u | sed 's/^[a-z]* //' | paste -s -d ' '
	done >"$sources/VERSIONS"
	cd "$sources"
	rm -rf packed
	find . -exec touch -h -d @1 {} +
	touch ready
}

log_of() { # NAME COMMAND...: its output is shown only when it fails
	name=$1
	shift
	# In the background: in a condition the shell would not stop at what fails within.
	"$@" >"$work/$name.log" 2>&1 &
	wait $! || { tail -n 30 "$work/$name.log" >&2; die "$T: $name does not build"; }
}

# ---- the recipe: its text, down to the end, is part of the name of what it makes ----

# What comes from where: trixie's has TLS 1.3 and the later fixes, bookworm's is what the other build uses. A package that the
# first suite's mirror does not hand out is taken from bookworm.
suites=trixie
newer="musl libpcap mbedtls"
same="libevent protobuf-c cmocka"

build_musl() {
	mkdir "$work/musl" && cd "$work/musl"
	"$sources/musl/configure" --target="$T" --prefix="$P" --syslibdir="$P/lib" --disable-shared --enable-wrapper=gcc \
		CROSS_COMPILE="$T-" CC="$T-gcc" CFLAGS="-g0 -ffile-prefix-map=$sources=."
	make -j"$jobs" install
	kernel=/usr/$T/include
	machine=$kernel/asm
	[ "$T" != "$(gcc -dumpmachine)" ] || { kernel=/usr/include machine=/usr/include/$T/asm; }
	for d in linux asm-generic mtd; do [ ! -d "$kernel/$d" ] || ln -sfn "$kernel/$d" "$P/include/$d"; done
	ln -sfn "$machine" "$P/include/asm"
}

# The scanner of filter expressions: its 60 patterns for IPv6 addresses make 40 KB of tables; a coarser one is enough, since each
# address that is found is read by getaddrinfo(3) anyway.
v6='({W}(:{W}){7}|{W}(:{W}){5}:{V4}|(({W}:)*{W})?::(({W}:)*({W}|{V4}))?)'
build_libpcap() {
	cp -r "$sources/libpcap" "$work/libpcap"
	[ "$(grep -c '^V6	' "$work/libpcap/scanner.l")" = 1 ]
	sed -i -e "s/^V6	.*/V4		{N}\\\\.{N}\\\\.{N}\\\\.{N}\\nV6		$v6/" -e '/^V6[0-9]/d' "$work/libpcap/scanner.l"
	mkdir "$work/pcap" && cd "$work/pcap"
	ac_cv_netfilter_can_compile=no "$work/libpcap/configure" --host="$T" --prefix="$P" --with-pcap=linux --disable-shared --disable-dbus --disable-bluetooth \
		--disable-usb --disable-rdma --disable-remote --disable-netmap --without-libnl --without-dag --without-septel --without-snf \
		--without-turbocap --without-dpdk CC="$CC" AR="$T-ar" RANLIB="$T-ranlib" CFLAGS="$F"
	make -j"$jobs" libpcap.a
	cp libpcap.a "$P/lib"
	mkdir -p "$P/include/pcap"
	cp "$sources/libpcap"/pcap/*.h "$P/include/pcap"
	cp "$sources/libpcap"/pcap*.h "$P/include"
}

build_libevent() {
	mkdir "$work/event" && cd "$work/event"
	# epoll(7) is all it needs: no other way of waiting.
	ac_cv_func_select=no ac_cv_func_poll=no "$sources/libevent/configure" --host="$T" --prefix="$P" --disable-shared --disable-openssl --disable-samples \
		--disable-libevent-regress --disable-debug-mode --disable-thread-support --disable-malloc-replacement \
		CC="$CC" AR="$T-ar" RANLIB="$T-ranlib" CFLAGS="$F"
	make include/event2/event-config.h # alone: with -j the objects start before it is there
	make -j"$jobs" libevent_core.la
	cp .libs/libevent_core.a "$P/lib"
	mkdir -p "$P/include/event2"
	cp "$sources/libevent"/include/event2/*.h include/event2/event-config.h "$P/include/event2"
}

build_mbedtls() { # FOLDER FLAGS
	cp -r "$sources/mbedtls" "$work/$1" && cd "$work/$1"
	# Its headers and ours stay together. GENERATED_FILES: what it ships, nothing made anew.
	cp "$top/platform/mbedtls_config.h" include/mbedtls/flowproof_config.h
	make -j"$jobs" -C library CC="$CC" AR="$T-ar" GENERATED_FILES= \
		CFLAGS="$F -I../include -DMBEDTLS_CONFIG_FILE='<mbedtls/flowproof_config.h>' $2" static
	mkdir -p "$3"
	cp library/libmbed*.a "$3"
	mkdir -p "$P/include"
	cp -r include/mbedtls include/psa "$P/include"
}

build_small() {
	order=$(printf '__BYTE_ORDER__' | "$T-gcc" -E -P - | tail -n 1)
	big=
	[ "$order" != 4321 ] || big=-DWORDS_BIGENDIAN
	mkdir -p "$P/include/protobuf-c"
	cp "$sources/protobuf-c/protobuf-c/protobuf-c.h" "$P/include/protobuf-c"
	cd "$work"
	$CC $F $big -I"$sources/protobuf-c" -c "$sources/protobuf-c/protobuf-c/protobuf-c.c" -o protobuf-c.o
	"$T-ar" rcs "$P/lib/libprotobuf-c.a" protobuf-c.o
	# It asks by glibc's names whether uintptr_t is there.
	{ printf '#include <stdint.h>\n#define _UINTPTR_T 1\n' && cat "$sources/cmocka/include/cmocka.h"; } >"$P/include/cmocka.h"
	$CC $F -include stdint.h -D_UINTPTR_T -D_GNU_SOURCE -DHAVE_STDINT_H=1 -DHAVE_INTTYPES_H=1 -DHAVE_SIGNAL_H=1 -DHAVE_STRINGS_H=1 -DHAVE_STRUCT_TIMESPEC=1 \
		-DHAVE_CLOCK_GETTIME=1 -DHAVE_CLOCK_REALTIME=1 -DHAVE_TIME_H=1 -DHAVE_MALLOC_H=1 -I"$sources/cmocka/include" \
		-c "$sources/cmocka/src/cmocka.c" -o cmocka.o
	"$T-ar" rcs "$P/lib/full/libcmocka.a" cmocka.o
}

build() {
	T=$1
	P=$(prefix "$T")
	[ ! -e "$P/ready" ] || return 0
	mkdir -p "$cache"
	# One at a time, whoever else wants the same.
	exec 8>"$cache/lock"
	flock 8
	[ ! -e "$P/ready" ] || return 0
	begin=$(date +%s)
	say "building for $T into $P (about two minutes; once)"
	fetch
	work=$cache/work-$T
	rm -rf "$P" "$work" && mkdir -p "$P/include" "$P/lib" "$work"
	F="-Os -g -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-unwind-tables -fstack-protector-strong -fPIE"
	F="$F -ffile-prefix-map=$sources=. -ffile-prefix-map=$work=. -ffile-prefix-map=$P=."
	# -static also in configure's link tests: without it libgcc is not grouped with the C library.
	CC="$T-gcc -specs $P/lib/musl-gcc.specs -static"
	log_of musl build_musl
	# At once: the configure scripts use one processor.
	log_of libpcap build_libpcap &
	libpcap=$!
	log_of libevent build_libevent &
	libevent=$!
	log_of mbedtls build_mbedtls mbedtls '' "$P/lib"
	log_of mbedtls-full build_mbedtls mbedtls-full -DFLOWPROOF_MBEDTLS_FULL "$P/lib/full"
	log_of small build_small
	wait $libpcap
	wait $libevent
	grep -v '^cmocka ' "$sources/VERSIONS" >"$P/VERSIONS"
	rm -rf "$work"
	touch "$P/ready"
	say "$T took $(($(date +%s) - begin)) s"
}

# ---- end of the recipe ----

case ${1:-} in
path) prefix "$2" ;;
licences)
	fetch
	for f in musl/COPYRIGHT libpcap/LICENSE libevent/LICENSE mbedtls/LICENSE protobuf-c/LICENSE; do
		printf '\n---- linked in: %s\n\n' "${f%/*}"
		cat "$sources/$f"
	done
	;;
versions) cat "$(prefix "$2")/VERSIONS" ;;
kernel) kernel "$2" "$3" "$4" ;;
unpacked)
	shift
	unpacked "$@"
	;;
build)
	shift
	for t in "$@"; do (build "$t"); done
	;;
*) die "usage: deps-static.sh path|versions TRIPLET, licences, build TRIPLET..., kernel ARCH SUITE PACKAGE, unpacked ARCH SUITE PACKAGE..." ;;
esac
