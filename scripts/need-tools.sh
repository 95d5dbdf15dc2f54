#!/usr/bin/env bash
# The real clients and tools that the tests start, from Debian's packages.
set -euo pipefail
declare -A package=([vdirsyncer]=vdirsyncer [khard]=khard [cadaver]=cadaver [litmus]=litmus [strace]=strace [curl]=curl)
missing=()
for command in "${!package[@]}"; do
	command -v "$command" >/dev/null 2>&1 || missing+=("${package[$command]}")
done
[ -x /usr/libexec/evolution-addressbook-factory ] || missing+=(evolution-data-server)
/usr/bin/python3 -c "import gi; gi.require_version('EBook', '1.2')" 2>/dev/null || missing+=(gir1.2-ebook-1.2 python3-gi)
command -v dbus-run-session >/dev/null 2>&1 || missing+=(dbus)
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "== installing ${missing[*]}"
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
	exit 0
fi
echo "The tests need these Debian packages, which are not installed: ${missing[*]}" >&2
echo "As root: apt-get install --no-install-recommends ${missing[*]}   (go test ./... runs without them and names what it leaves out)" >&2
exit 1
