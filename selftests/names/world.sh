# SPDX-License-Identifier: GPL-2.0
# Sourced by the tests here, first of all: a hub of their own. Network (loopback only, no route),
# state, pins and programs in the background are the test's alone and end with it; groups are
# of the memfd backend and named after the test.
# shellcheck shell=bash

if [ "$(id -u)" != 0 ]; then
	printf 'TAP version 13\n1..0 # SKIP it takes root to make namespaces\n'
	exit 4
fi
if [ -z "${COPPICE_TEST_WORLD:-}" ]; then
	COPPICE_TEST_WORLD=$$ exec unshare --mount --net --pid --fork --kill-child --mount-proc \
		--propagation private "$0" "$@"
fi
for directory in /run/coppice /var/lib/coppice; do
	mkdir -p "$directory" && mount -t tmpfs -o mode=755 world "$directory" || exit
done
mount -t bpf bpf /sys/fs/bpf || exit
ip link set lo up || exit

# shellcheck source=selftests/ctl/tap.sh
. "$(dirname "$0")/../ctl/tap.sh"

me=n$COPPICE_TEST_WORLD
backend=memfd
c() { timeout 120 "$coppice" --backend "$backend" "$@"; }

# until_true COMMAND…: as long as a loaded machine takes.
until_true() {
	local i
	for i in $(seq 600); do
		"$@" > /dev/null 2>&1 && return
		sleep 0.1
	done
	echo "# it never became true: $*"
	return 1
}
listens() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

echo "TAP version 13"

# make_image NAME: whose tasks run programs for `inside`.
make_image() {
	cp "$(dirname "$0")/inside.py" "$work/inside.py"
	echo '{}' > "$work/nothing.json"
	chmod 644 "$work/inside.py" "$work/nothing.json"
	c image build "$1" --python "$work/inside.py:handler" --warm "$work/nothing.json"
}

# inside GROUP COMMAND…: run it as a program of a task; its output, errors and status are those.
inside() {
	local group=$1 said
	shift
	said=$(mktemp -d "$work/inside.XXXXXX") && chmod 755 "$said" || return
	/usr/bin/python3 -c 'import json, os, sys
print(json.dumps({"command": sys.argv[2:]}), file=open(sys.argv[1], "w"))' "$said/event" "$@"
	chmod 644 "$said/event"
	c run "$group" --event "$said/event" > "$said/told" || return
	/usr/bin/python3 -c 'import json, sys
told = json.load(open(sys.argv[1]))
sys.stdout.write(told["out"])
sys.stderr.write(told["err"])
sys.exit(told["status"] if told["status"] >= 0 else 128 - told["status"])' "$said/told"
}
