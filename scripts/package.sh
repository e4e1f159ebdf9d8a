#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# package.sh deb|rpm TRIPLET OUT SENSOR [COLLECTOR ANALYST]   Packages of programs that are built: OUT/*.deb or OUT/*.rpm.
#
# flowproof-sensor is the static sensor; flowproof-collector is the collector, the analyst's command and what brings a sensor to a
# machine. The bytes depend on the programs, this tree and SOURCE_DATE_EPOCH alone. Nothing is enabled, nothing started without
# a configuration, no user made: the units have a user for as long as they run. Neither removal nor purge touches a store.
set -eu
kind=$1 triplet=$2 out=$3 sensor=$4 collector=${5:-} analyst=${6:-}
top=$(cd "$(dirname "$0")/.." && pwd)
: "${SOURCE_DATE_EPOCH:?the time that files bear, in Unix seconds}"
: "${VERSION:?as in 0.1.0}"
export SOURCE_DATE_EPOCH
umask 022
mkdir -p "$out"
work=$(mktemp -d "$out/.work-XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM

case $triplet in
x86_64-*) deb=amd64 rpm=x86_64 ;;
aarch64-*) deb=arm64 rpm=aarch64 ;;
arm-*) deb=armhf rpm=armv7hl ;;
*) echo "package: no package is made for $triplet" >&2; exit 2 ;;
esac

put() { # MODE FILE INTO...
	mode=$1 file=$2
	shift 2
	for into in "$@"; do install -D -m "$mode" "$file" "$into"; done
}
manual() { # ROOT PAGE...
	root=$1
	shift
	for page in "$@"; do
		dir=$root/usr/share/man/man${page##*.}
		mkdir -p "$dir"
		gzip -9n <"$top/docs/$page" >"$dir/$page.gz"
	done
}
licences() { # FILE, TRIPLET: or nothing, if it is linked with libraries of the system
	{
		printf 'flowproof. Its licence is that of the Apache Software Foundation, version 2.0:\n\n'
		cat "$top/LICENSE"
		[ -z "$2" ] || sh "$top/scripts/deps-static.sh" licences
	} >"$1"
}
tree_sensor() { # ROOT
	put 755 "$sensor" "$1/usr/sbin/flowproof-sensor"
	put 644 "$top/platform/systemd/flowproof-sensor.service" "$1$units/flowproof-sensor.service"
	for p in "$top"/configs/policy/*.policy; do put 644 "$p" "$1/etc/flowproof/policy/${p##*/}"; done
	put 644 "$top/configs/sensor.conf" "$1/usr/share/doc/flowproof-sensor/sensor.conf"
	manual "$1" flowproof-sensor.8
	licences "$1/usr/share/doc/flowproof-sensor/copyright" "$triplet"
}
tree_collector() { # ROOT
	mkdir -p "$1/usr/sbin" "$1/usr/bin"
	# Without what only a debugger reads, and what depends on the folder that it was built in.
	for p in sbin/flowproof-collector=$collector bin/flowproof=$analyst; do
		"$triplet-strip" -s -R .comment -R .note.gnu.build-id -o "$1/usr/${p%%=*}" "${p#*=}"
	done
	put 644 "$top/platform/systemd/flowproof-collector.service" "$1$units/flowproof-collector.service"
	for f in "$top"/platform/ec2/*; do
		case $f in
		*/collect | */install-offline) put 755 "$f" "$1/usr/share/flowproof/ec2/${f##*/}" ;;
		*.yaml | *.sh) put 644 "$f" "$1/usr/share/flowproof/ec2/${f##*/}" ;;
		esac
	done
	# What the offline installer makes the volume's unit of.
	put 644 "$top/platform/systemd/flowproof-sensor.service" "$1/usr/share/flowproof/systemd/flowproof-sensor.service"
	for f in configs/collector.conf docs/report.schema.json docs/threat-model.md docs/ledger.md docs/wire.md; do
		put 644 "$top/$f" "$1/usr/share/doc/flowproof-collector/${f##*/}"
	done
	for f in "$top"/docs/quarantine*.md; do [ ! -e "$f" ] || put 644 "$f" "$1/usr/share/doc/flowproof-collector/${f##*/}"; done
	# shellcheck disable=SC2046
	manual "$1" $(cd "$top/docs" && ls ./*.[158] | sed 's|^\./||' | grep -v '^flowproof-sensor\.8$')
	licences "$1/usr/share/doc/flowproof-collector/copyright" "$static"
}
# One time stamp for all.
settle() { find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

about_sensor="records what a machine sends and receives, as evidence"
about_collector="takes the streams of flowproof sensors and says what they show"
more_sensor="The sensor as one static file: it writes VPC Flow Logs records and streams them to a collector. Nothing is watched before
/etc/flowproof/sensor.conf is there: flowproof-sensor(8)."
more_collector="The collector, the analyst's command flowproof, and what brings a sensor to a restored EC2 instance. Nothing is started before
/etc/flowproof/collector.conf is there: flowproof-collector(8)."

# What runs at installation and removal: all of it only where systemd runs.
after_install='[ ! -d /run/systemd/system ] || systemctl daemon-reload || :'
before_remove() { echo "[ ! -d /run/systemd/system ] || systemctl disable --now $1.service || :"; }
before_upgrade() { echo "[ ! -d /run/systemd/system ] || systemctl try-restart $1.service || :"; }

# ---- deb ----

make_deb() { # NAME TREE ABOUT MORE DEPENDS
	root=$2
	mkdir -p "$root/DEBIAN"
	cat >"$root/DEBIAN/control" <<-END
		Package: $1
		Version: $VERSION-1
		Architecture: $deb
		Maintainer: the authors of flowproof <root@localhost>
		Installed-Size: $(du -k --apparent-size -s "$root" | cut -f 1)
		$([ -z "$5" ] || echo "Depends: $5")
		Section: net
		Priority: optional
		Description: $3
		$(echo "$4" | sed 's/^/ /')
	END
	sed -i '/^$/d' "$root/DEBIAN/control"
	(cd "$root" && find etc -type f 2>/dev/null | LC_ALL=C sort | sed 's|^|/|') >"$root/DEBIAN/conffiles" || :
	[ -s "$root/DEBIAN/conffiles" ] || rm "$root/DEBIAN/conffiles"
	(cd "$root" && find usr etc lib -type f 2>/dev/null | LC_ALL=C sort | xargs md5sum) >"$root/DEBIAN/md5sums" || :
	printf '#!/bin/sh\nset -e\n%s\n[ -z "${2:-}" ] || { %s; }\n' "$after_install" "$(before_upgrade "$1")" >"$root/DEBIAN/postinst"
	printf '#!/bin/sh\nset -e\n[ "$1" != remove ] || { %s; }\n' "$(before_remove "$1")" >"$root/DEBIAN/prerm"
	printf '#!/bin/sh\nset -e\n%s\n' "$after_install" >"$root/DEBIAN/postrm"
	chmod 755 "$root"/DEBIAN/p*
	settle "$root"
	dpkg-deb -Zxz --root-owner-group --build "$root" "$out/$1_$VERSION-1_$deb.deb" >/dev/null
	echo "$out/$1_$VERSION-1_$deb.deb"
}
debs() {
	units=/lib/systemd/system
	tree_sensor "$work/sensor"
	make_deb flowproof-sensor "$work/sensor" "$about_sensor" "$more_sensor" ""
	[ -n "$collector" ] || return 0
	static=
	tree_collector "$work/collector"
	# Linked with the system's libraries: which, dpkg-shlibdeps knows. It wants to stand in a source package.
	mkdir -p "$work/source/debian"
	: >"$work/source/debian/control"
	depends=$(cd "$work/source" && dpkg-shlibdeps -O ../collector/usr/sbin/flowproof-collector ../collector/usr/bin/flowproof 2>/dev/null |
		sed 's/^shlibs:Depends=//')
	[ -n "$depends" ] || { echo "package: dpkg-shlibdeps found no libraries" >&2; exit 3; }
	make_deb flowproof-collector "$work/collector" "$about_collector" "$more_collector" "$depends, python3"
}

# ---- rpm ----

make_rpm() { # NAME TREE ABOUT MORE REQUIRES
	root=$2
	settle "$root"
	{
		# Debian's rpm has none of Fedora's macros; with them it would strip foreign programs with this machine's strip.
		cat <<-END
			%global debug_package %{nil}
			%global __os_install_post %{nil}
			%global _build_id_links none
			%global _buildhost localhost
			%global use_source_date_epoch_as_buildtime 1
			%global clamp_mtime_to_source_date_epoch 1
			%define _binary_payload w9.gzdio
			Name: $1
			Version: $VERSION
			Release: 1
			Summary: $3
			License: Apache-2.0
			AutoReqProv: no
			$([ -z "$5" ] || echo "Requires: $5")
			%description
			$4
			%post
			$after_install
			[ "\$1" = 1 ] || { $(before_upgrade "$1"); }
			%preun
			[ "\$1" != 0 ] || { $(before_remove "$1"); }
			%postun
			$after_install
			%install
			mkdir -p %{buildroot} && cp -a $(realpath "$root")/. %{buildroot}
			%files
		END
		(cd "$root" && find . -type f | LC_ALL=C sort) | sed 's|^\.||' | while read -r f; do
			case $f in
			/etc/*) echo "%config(noreplace) %attr(644, root, root) $f" ;;
			*/bin/* | */sbin/* | */ec2/collect | */ec2/install-offline) echo "%attr(755, root, root) $f" ;;
			*) echo "%attr(644, root, root) $f" ;;
			esac
		done
		for d in etc/flowproof etc/flowproof/policy usr/share/flowproof usr/share/flowproof/ec2 usr/share/flowproof/systemd usr/share/doc/"$1"; do
			[ ! -d "$root/$d" ] || echo "%dir %attr(755, root, root) /$d"
		done
	} | sed 's/^\t*//' >"$work/$1.spec"
	rpmbuild -bb --quiet --target "$rpm-amazon-linux" --buildroot "$work/br" --define "_topdir $work/rpmbuild" --define "_rpmdir $work/rpms" \
		"$work/$1.spec" >"$work/log" 2>&1 ||
		{ cat "$work/log" >&2; exit 3; }
	find "$work/rpms" -name '*.rpm' -exec mv {} "$out/" \;
	echo "$out/$1-$VERSION-1.$rpm.rpm"
}
rpms() {
	units=/usr/lib/systemd/system
	tree_sensor "$work/sensor"
	make_rpm flowproof-sensor "$work/sensor" "$about_sensor" "$more_sensor" ""
	[ -n "$collector" ] || return 0
	static=$triplet
	tree_collector "$work/collector"
	make_rpm flowproof-collector "$work/collector" "$about_collector" "$more_collector" "python3"
}

case $kind in
deb) debs ;;
rpm) rpms ;;
*) echo "package: deb or rpm, not '$kind'" >&2; exit 2 ;;
esac
