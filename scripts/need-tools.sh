#!/usr/bin/env bash
# The real clients and tools that the tests start, from Debian's packages and, where Debian has none, built from a pinned version.
set -euo pipefail
# An object store to test with. No distribution has it.
versitygw=v1.7.0
where=$(go env GOBIN)
where=${where:-$(go env GOPATH | cut -d: -f1)/bin}
if ! command -v versitygw >/dev/null 2>&1 && ! go version -m "$where/versitygw" 2>/dev/null | grep -q "versitygw[[:space:]]$versitygw[[:space:]]"; then
	echo "== building versitygw $versitygw"
	CGO_ENABLED=0 go install "github.com/versity/versitygw/cmd/versitygw@$versitygw"
fi
# An rclone that sends large files in chunks: that of Debian 12 is older.
rclone=v1.69.3
if ! rclone help flags chunk 2>/dev/null | grep -q webdav-nextcloud-chunk-size && ! go version -m "$where/rclone" 2>/dev/null | grep -q "rclone[[:space:]]$rclone[[:space:]]"; then
	echo "== building rclone $rclone"
	CGO_ENABLED=0 go install "github.com/rclone/rclone@$rclone"
fi
declare -A package=([vdirsyncer]=vdirsyncer [khard]=khard [khal]=khal [todoman]=todoman [cadaver]=cadaver [litmus]=litmus [rclone]=rclone [mount.davfs]=davfs2 [strace]=strace [curl]=curl [radicale]=radicale [xandikos]=xandikos [thunderbird]=thunderbird [syncevolution]=syncevolution [calcurse]=calcurse [age]=age [zstd]=zstd [jq]=jq [chromium]=chromium [npm]=npm [mkfs.ext4]=e2fsprogs [promtool]=prometheus [ip]=iproute2 [systemd-analyze]=systemd [nginx]=nginx-light [ffmpeg]=ffmpeg)
missing=()
for command in "${!package[@]}"; do
	command -v "$command" >/dev/null 2>&1 || missing+=("${package[$command]}")
done
# Modules of Debian's own Python, whatever other Python is in the PATH.
declare -A module=([caldav]=python3-caldav [dateutil]=python3-dateutil [icalendar]=python3-icalendar [recurring_ical_events]=python3-recurring-ical-events [httplib2]=python3-httplib2 [aiosmtpd]=python3-aiosmtpd)
for name in "${!module[@]}"; do
	/usr/bin/python3 -c "import $name" 2>/dev/null || missing+=("${module[$name]}")
done
declare -A binding=([EBook-1.2]=gir1.2-ebook-1.2 [ECal-2.0]=gir1.2-ecal-2.0 [ICalGLib-3.0]=gir1.2-ical-3.0)
for name in "${!binding[@]}"; do
	/usr/bin/python3 -c "import gi; gi.require_version('${name%-*}', '${name##*-}')" 2>/dev/null || missing+=("${binding[$name]}" python3-gi)
done
[ -x /usr/libexec/evolution-addressbook-factory ] && [ -x /usr/libexec/evolution-calendar-factory ] || missing+=(evolution-data-server)
command -v dbus-run-session >/dev/null 2>&1 || missing+=(dbus)
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "== installing ${missing[*]}"
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
	case " ${missing[*]} " in *" nginx-light "*) systemctl disable --now --quiet nginx >/dev/null 2>&1 || true ;; esac # the program is wanted, not a service
	exit 0
fi
echo "The tests need these Debian packages, which are not installed: ${missing[*]}" >&2
echo "As root: apt-get install --no-install-recommends ${missing[*]}   (go test ./... runs without them and names what it leaves out)" >&2
exit 1
