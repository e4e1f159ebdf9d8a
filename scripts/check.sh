#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check.sh   What `make check` does: one line a check, and what failed. O: build folder, MAKE: the make to call.
# CHECK_GCC: the folder of gcc's build; where nothing is built yet it may be O itself, and what was checked is what is tested after it.
set -u
cd "$(dirname "$0")/.." || exit 1
O=${O:-build}
MAKE=${MAKE:-make}
PY3=${PY3:-/usr/bin/python3}
gcc=${CHECK_GCC:-$O/check-gcc}
jobs=$(nproc)
mkdir -p "$O"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
failed=0
count=0

# check NAME COMMAND...   Runs it; its output is shown only when it fails.
check() {
	name=$1
	shift
	count=$((count + 1))
	begin=$(date +%s)
	if "$@" >"$work/log" 2>&1; then
		printf '  ok      %s (%s s)\n' "$name" $(($(date +%s) - begin))
	else
		printf '  FAILED  %s (exit %s)\n' "$name" $?
		# Without make's lines of what it compiled.
		grep -v '^  [A-Z]\{2,8\}  *[^ ]*$' "$work/log" | tail -n 60 | sed 's/^/          /'
		failed=$((failed + 1))
	fi
}

# The files of the tree, also where there is no git.
sources() {
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git ls-files -- "$@"
	else
		for pattern in "$@"; do
			find . -path "./$O" -prune -o -path ./run -prune -o -type f -name "$pattern" -print
		done
	fi
}

format() {
	sources '*.c' '*.h' >"$work/files"
	[ -s "$work/files" ] || { echo "no source found"; return 1; }
	xargs clang-format --dry-run -Werror <"$work/files" 2>"$work/places" && return 0
	sed -n 's/^\([^ :]*\):[0-9]*:.*/\1/p' "$work/places" | sort | uniq -c | sed 's/$/ (make format)/'
	return 1
}

compiler() { # CC, FOLDER, settings of make
	compiler_cc=$1 compiler_folder=$2
	shift 2
	$MAKE --no-print-directory -j"$jobs" O="$compiler_folder" CC="$compiler_cc" WERROR=-Werror "$@" tests
}

# The sensor and nothing else, with a configuration of its own.
sensor_only() {
	mkdir -p "$O/check-sensor"
	printf '# CONFIG_COLLECTOR is not set\n# CONFIG_ANALYST is not set\n' >"$O/check-sensor/config"
	rm -f "$O/check-sensor/flowproof" "$O/check-sensor/flowproof-collector"
	$MAKE --no-print-directory -j"$jobs" O="$O/check-sensor" KCONFIG_CONFIG="$O/check-sensor/config" WERROR=-Werror programs &&
		[ -x "$O/check-sensor/flowproof-sensor" ] && [ ! -e "$O/check-sensor/flowproof" ] &&
		[ ! -e "$O/check-sensor/flowproof-collector" ]
}

without_the_rest() {
	tree=$work/tree
	mkdir "$tree" && sources '*' >"$work/files" && tar -cf - -T "$work/files" | tar -xf - -C "$tree" &&
		rm -rf "$tree/collector" "$tree/evidence" "$tree/analyst" &&
		$MAKE --no-print-directory -j"$jobs" -C "$tree" O=build KCONFIG_CONFIG=.config WERROR=-Werror programs &&
		"$tree/build/flowproof-sensor" --version
}

headers() {
	bad=0
	sources '*.h' >"$work/files"
	while read -r h; do
		printf '#include "%s"\n#include "%s"\n' "$h" "$h" >"$work/alone.c"
		gcc -std=c11 -Wall -Wextra -Werror -fsyntax-only -D_GNU_SOURCE -I. -I"$gcc/gen" \
			-include "$gcc/autoconf.h" "$work/alone.c" || { echo "$h does not compile alone"; bad=1; }
	done <"$work/files"
	return $bad
}

analysis() {
	cppcheck -q -j"$jobs" --std=c11 --library=posix --enable=warning,portability,performance --inline-suppr \
		--suppress=readdirCalled \
		--error-exitcode=1 -D_GNU_SOURCE -DFLOWPROOF_VERSION='"0"' --include="$gcc/autoconf.h" -I. \
		$(for d in platform proto policy sensor evidence collector analyst; do [ -d $d ] && echo $d; done)
}

# Each is accepted as it stands, and what it names is built.
configurations() {
	bad=0
	for c in configs/*_defconfig; do
		[ -e "$c" ] || continue
		d=$O/check-config/$(basename "$c" _defconfig)
		mkdir -p "$d"
		# What is as it was is not built again.
		cmp -s "$c" "$d/wanted" || { cp "$c" "$d/wanted" && cp "$c" "$d/config"; }
		"$PY3" scripts/kconfig-strict.py Kconfig "$d/config" || { echo "$c is not accepted"; bad=1; continue; }
		$MAKE --no-print-directory -j"$jobs" O="$d" KCONFIG_CONFIG="$d/config" CFLAGS=-O1 WERROR=-Werror programs ||
			{ echo "$c does not build"; bad=1; }
		if [ -e "$d/flowproof-sensor" ]; then
			$MAKE --no-print-directory O="$d" KCONFIG_CONFIG="$d/config" size || { echo "$c is too large"; bad=1; }
		fi
	done
	return $bad
}

manuals() {
	set -- docs/*.[158]
	[ -e "$1" ] || { echo "no manual pages in docs/"; return 1; }
	mandoc -Tlint -Wwarning "$@"
}

scripts() {
	bad=0
	for s in scripts/*.sh; do
		sh -n "$s" || bad=1
	done
	bash -n .ci/run || bad=1
	sources '*.py' >"$work/files"
	echo scripts/check-layers >>"$work/files"
	while read -r p; do
		"$PY3" -c 'import sys; compile(open(sys.argv[1], encoding="utf-8").read(), sys.argv[1], "exec")' "$p" || bad=1
	done <"$work/files"
	return $bad
}

check "format (clang-format)" format
check "layers, homes of libraries, clock, banned functions" "$PY3" scripts/check-layers
check "the layer check itself finds each violation" "$PY3" scripts/check-layers --self-test
check "scripts parse" scripts
check "gcc, every warning an error" compiler gcc "$gcc"
check "clang, every warning an error" compiler clang "$O/check-clang" CFLAGS=-O1
check "headers compile alone" headers
check "sensor only: collector and analyst switched off" sensor_only
check "sensor only: collector/ evidence/ analyst/ deleted" without_the_rest
check "example configurations for Kconfig: accepted, built, within their budgets" configurations
check "cppcheck" analysis
check "manual pages (mandoc)" manuals
echo "check: $count checks, $failed failed"
[ "$failed" = 0 ]
