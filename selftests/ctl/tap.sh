# SPDX-License-Identifier: GPL-2.0
# Sourced by the tests that are scripts: points in TAP, and what commands said.
# shellcheck shell=bash

top=$(cd "$(dirname "$0")/../.." && pwd)
coppice=${COPPICE:-$top/build/coppice} built=$(dirname "${COPPICE:-$top/build/coppice}")
points=0 failures=0
work=$(mktemp -d)
chmod 755 "$work"

# run STATUS COMMAND…: its output is in $out and $err, and STATUS is what it must end with.
run() {
	local want=$1 status=0
	shift
	"$@" > "$work/out" 2> "$work/err" < "${input:-/dev/null}" || status=$?
	out=$(cat "$work/out") err=$(cat "$work/err")
	[ "$status" = "$want" ] && return
	echo "# $* ended with status $status instead of $want: $out $err" | head -n 20 | sed '2,$s/^/# /'
	return 1
}

# point DESCRIPTION COMMAND…: a point of the test, passed if COMMAND succeeds.
point() {
	local description=$1
	shift
	points=$((points + 1))
	if "$@"; then
		echo "ok $points - $description"
	else
		failures=$((failures + 1))
		echo "not ok $points - $description"
	fi
}

skip() {
	points=$((points + 1))
	echo "ok $points - $1 # SKIP $2"
}

# has TEXT WORD…: every WORD is in TEXT.
has() {
	local text=$1 word
	shift
	for word; do
		case $text in
		*"$word"*) ;;
		*) echo "# no '$word' in: $text" | head -n 20 | sed '2,$s/^/# /'; return 1 ;;
		esac
	done
}

# same WANTED FOUND
same() {
	[ "$1" = "$2" ] && return
	echo "# '$2' instead of '$1'" | sed '2,$s/^/# /'
	return 1
}

# refused STATUS WORD COMMAND…: ends with STATUS, says one line with WORD, prints nothing.
refused() {
	local status=$1 word=$2
	shift 2
	run "$status" "$@" && has "$err" "$word" && same "" "$out" && same 1 "$(wc -l < "$work/err")"
}

# field '["a"][0]': one member of a JSON document on standard input, text without its quotes;
# fails if there is none
field() { jq -rc ".$1 | if . == null then error(\"there is no such member\") else . end"; }

# The backends to try. What memfd does is the same on all kernels; one of those in guests is enough.
backends() {
	case ${COPPICE_KERNEL:-native} in
	native | 6.1 | arm64) echo kernel memfd ;;
	*) echo kernel ;;
	esac
}

finish() {
	rm -rf "$work"
	echo "1..$points"
	[ "$failures" = 0 ]
	exit
}
