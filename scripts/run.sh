#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh   What `make run` does: a collector on loopback and a sensor on this machine's default interface, with throw-away keys.
# O: build folder. RUN_SECONDS: ends after so many seconds; else Ctrl-C does. Everything it writes is below run/.
set -eu
cd "$(dirname "$0")/.."
O=${O:-build}
case ${RUN_SECONDS:-0} in
*[!0-9]*) echo "run: RUN_SECONDS must be a number, not '$RUN_SECONDS'" >&2; exit 2 ;;
esac
if [ "$(id -u)" != 0 ]; then
	echo "run: capturing needs root. Without it, a capture file can be read: $O/flowproof-sensor -r FILE" >&2
	exit 1
fi
for p in flowproof-sensor flowproof-collector flowproof; do
	[ -x "$O/$p" ] || { echo "run: $O/$p is not built; the configuration leaves it out (make menuconfig)" >&2; exit 1; }
done

stamp=$(date -u +%Y%m%dT%H%M%SZ)
keys=run/keys
store=run/store-$stamp
logs=run/log-$stamp
id=$(uname -n | tr -c 'A-Za-z0-9._\n-' '-' | sed 's/^[^A-Za-z0-9]*//' | cut -c1-63)
id=${id:-this-machine}
sensor=
collector=
stop=

# The state letter in /proc: a child that ended and was not waited for is a Z.
alive() {
	[ -n "$1" ] || return 1
	case $(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) in
	'' | Z | X) return 1 ;;
	esac
}

# until_said FILE PATTERN PID   Waits, 20 s at most, until the child has logged it.
until_said() {
	n=0
	until grep -q "$2" "$1" 2>/dev/null; do
		n=$((n + 1))
		if [ $n -gt 200 ] || ! alive "$3"; then
			echo "run: '$2' did not appear in $1, whose end is:" >&2
			tail -n 10 "$1" >&2
			return 1
		fi
		sleep 0.1
	done
}

# end PID SECONDS   SIGTERM, then SIGKILL when the time is over. Its exit code.
end() {
	[ -n "$1" ] || return 0
	if alive "$1"; then
		kill -TERM "$1"
	fi
	n=0
	while alive "$1"; do
		n=$((n + 1))
		if [ $n -gt $(($2 * 10)) ]; then
			echo "run: process $1 did not end within $2 s; killing it" >&2
			kill -KILL "$1"
			break
		fi
		sleep 0.1 || :
	done
	code=0
	wait "$1" || code=$?
	return $code
}

clean() {
	trap - EXIT
	end "$sensor" 20 || :
	end "$collector" 10 || :
}
trap clean EXIT
trap 'stop=1' INT TERM HUP

interface=$(ip -o route show default 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
[ -n "$interface" ] || interface=$(ip -o -6 route show default 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
[ -n "$interface" ] || interface=$(ip -o link show up | sed -n 's/^[0-9]*: \([^:@]*\).*/\1/p' | grep -vx lo | head -n 1) || :
if [ -z "$interface" ]; then
	echo "run: this machine has no interface but loopback; watching that" >&2
	interface=lo
fi

mkdir -p "$logs"
if [ ! -f "$keys/ca.crt" ] || [ ! -f "$keys/collector.key" ] || [ ! -f "$keys/$id.key" ]; then
	rm -rf "$keys"
	"$O/flowproof" pki init -d "$keys" >"$logs/pki" 2>&1 && "$O/flowproof" pki issue -d "$keys" "$id" >>"$logs/pki" 2>&1 || {
		cat "$logs/pki" >&2
		exit 1
	}
fi

echo "run: watching interface $interface of this machine as sensor '$id'; the built-in policy expects next to nothing"
echo "run: keys are throw-away ones in $keys, the ledger is $store, logs are in $logs"
if [ "${RUN_SECONDS:-0}" -gt 0 ]; then
	echo "run: ends after $RUN_SECONDS s, or with Ctrl-C"
else
	echo "run: ends with Ctrl-C (RUN_SECONDS=N make run ends by itself)"
fi

# In sessions of their own: Ctrl-C must reach this script alone, which ends the sensor before the collector.
setsid "$O/flowproof-collector" -d "$store" -l 127.0.0.1:0 --ca "$keys/ca.crt" --cert "$keys/collector.crt" --key "$keys/collector.key" \
	--http 0 2>"$logs/collector" &
collector=$!
until_said "$logs/collector" 'listening on' "$collector"
address=$(sed -n 's/.*listening on \([^ ]*\).*/\1/p' "$logs/collector" | head -n 1)
setsid "$O/flowproof-sensor" -i "$interface" -s "$address" --id "$id" --ca "$keys/ca.crt" --cert "$keys/$id.crt" --key "$keys/$id.key" \
	2>"$logs/sensor" &
sensor=$!
until_said "$logs/sensor" 'uplink: connected' "$sensor"
echo "run: the sensor is connected to the collector at $address; records follow when a window of 60 s closes, flags at once"
echo "run: the live page: $(sed -n 's/.*page: at \([^ ]*\).*/\1/p' "$logs/collector" | head -n 1)"

begin=$(date +%s)
while [ -z "$stop" ] && alive "$sensor" && alive "$collector"; do
	if [ "${RUN_SECONDS:-0}" -gt 0 ] && [ $(($(date +%s) - begin)) -ge "$RUN_SECONDS" ]; then
		break
	fi
	sleep 0.5 || :
done
code=0
alive "$sensor" || { echo "run: the sensor ended by itself; see $logs/sensor" >&2; code=1; }
alive "$collector" || { echo "run: the collector ended by itself; see $logs/collector" >&2; code=1; }
trap '' INT
echo
echo "run: stopping the sensor, then the collector"
end "$sensor" 20 || { echo "run: the sensor failed; the end of $logs/sensor:" >&2; tail -n 5 "$logs/sensor" >&2; code=1; }
end "$collector" 10 || { echo "run: the collector failed; the end of $logs/collector:" >&2; tail -n 5 "$logs/collector" >&2; code=1; }
trap - EXIT

grep '^packets: ' "$logs/sensor" || { echo "run: the sensor left no packet equation" >&2; code=1; }
echo
echo "run: what the ledger holds (flowproof records -d $store --summary)"
"$O/flowproof" records -d "$store" --summary || code=1
echo
echo "run: what was flagged (flowproof findings -d $store)"
"$O/flowproof" findings -d "$store" || code=1
echo
echo "run: next:  $O/flowproof report -d $store --ca run/keys/ca.crt --html report.html    what may be concluded, and what not"
echo "run:        $O/flowproof records -d $store            all records as Flow Logs lines"
echo "run:        $O/flowproof records -d $store --json     the same as JSON lines"
echo "run:        $O/flowproof findings -d $store --json"
exit $code
