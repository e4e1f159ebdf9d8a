#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# user-data.sh   The second-best way to bring the sensor to a restored machine: as EC2 user data, where install-offline cannot be used (the volume
# could not be attached to a clean machine, or its init is not systemd).
#
# cloud-init runs this late, long after the network came up, with the suspect's own shell and tools, and only if the suspect left cloud-init alone. So a part
# of the boot is not watched: its seconds are printed here, on the console too (aws ec2 get-console-output), and stand in the stream (`flowproof records
# --events`: uptime_s of the first `host` event). Whatever left in that time left unseen by this witness; Flow Logs still saw it.
#
# 16 KB hold no sensor. It comes from a second disk, a volume of which a file system is labelled `flowproof` (attach it at the start; no network is needed),
# or by URL (a presigned one, or a file server in the room). Both hold flowproof-sensor, ca.crt, sensor.crt, sensor.key, and policy if there is one; by
# URL as a .tar.gz, whose SHA-256 is given below. Nothing is written to the suspect's disk: it runs from memory.
set -u

# ---- to be filled in; the environment wins ----
: "${COLLECTOR:=10.99.1.10:4739}"
: "${ID:=}"        # of the sensor, as in its certificate
: "${INTERFACE:=}" # empty: that of the default route
: "${URL:=}"       # empty: the disk
: "${SHA256:=}"    # of what the URL gives
: "${MORE:=}"      # further options, as --resolver 10.99.0.2
# ----

dir=/run/flowproof
say() {
	echo "flowproof: $*"
	[ ! -w /dev/console ] || echo "flowproof: $*" >/dev/console 2>/dev/null || :
}
die() {
	say "NOT WATCHED: $*"
	exit 1
}
seconds() { cut -d ' ' -f 1 /proc/uptime; }

[ -n "$ID" ] || die "ID is not filled in"
[ -z "$URL" ] || [ -n "$SHA256" ] || die "URL without SHA256"
if [ -z "$INTERFACE" ]; then
	# /proc/net/route: the destination 00000000 is the default.
	INTERFACE=$(while read -r name to _; do [ "$to" != 00000000 ] || echo "$name"; done </proc/net/route | head -n 1)
	[ -n "$INTERFACE" ] || die "there is no default route: fill in INTERFACE"
fi

mkdir -p -m 700 "$dir" || die "$dir cannot be made"
# /run may be noexec.
grep -q " $dir " /proc/mounts || mount -t tmpfs -o mode=0700,nosuid,nodev,size=16m flowproof "$dir" || die "no memory could be mounted at $dir"
if [ -n "$URL" ]; then
	curl -sSf --retry 5 --retry-connrefused --max-time 60 -o "$dir/all.tar.gz" "$URL" || die "$URL could not be fetched"
	echo "$SHA256  $dir/all.tar.gz" | sha256sum -c - >/dev/null 2>&1 || die "what $URL gave has another SHA-256"
	tar -xzf "$dir/all.tar.gz" -C "$dir" && rm "$dir/all.tar.gz" || die "what $URL gave cannot be unpacked"
else
	n=0
	until disk=$(blkid -L flowproof) && [ -n "$disk" ]; do
		n=$((n + 1))
		[ $n -le 30 ] || die "there is no disk labelled flowproof, and no URL"
		sleep 1
	done
	mkdir -p "$dir/disk" && mount -o ro,nodev,nosuid,noexec "$disk" "$dir/disk" || die "$disk cannot be mounted"
	cp "$dir"/disk/* "$dir" && umount "$dir/disk" || die "$disk cannot be copied from"
fi
chmod 700 "$dir/flowproof-sensor" && chmod 600 "$dir/sensor.key" || die "flowproof-sensor or sensor.key was not there"

set -- "$dir/flowproof-sensor" -i "$INTERFACE" -s "$COLLECTOR" --id "$ID" --ca "$dir/ca.crt" --cert "$dir/sensor.crt" --key "$dir/sensor.key"
[ ! -e "$dir/policy" ] || set -- "$@" -p "$dir/policy"
# shellcheck disable=SC2086
set -- "$@" $MORE
if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; then
	# Not a child of cloud-init's; this returns when the captures are open.
	systemd-run --quiet --unit=flowproof-sensor -p Type=notify -p Restart=on-failure -p RestartSec=1 -p OOMScoreAdjust=-900 -p StandardError=journal+console "$@" ||
		die "the sensor did not start"
else
	setsid "$@" >"$dir/log" 2>&1 </dev/null &
	pid=$!
	until grep -q 'capture: watching' "$dir/log" 2>/dev/null; do
		kill -0 $pid 2>/dev/null || die "the sensor ended: $(tail -n 1 "$dir/log")"
		sleep 0.1 2>/dev/null || sleep 1
	done
fi
say "watching $INTERFACE; the first $(seconds) s after the start of the kernel were not watched"
