// Package clients holds the tests in which other people's programs use the real Holdfast program, as their owners would: vdirsyncer with khard, khal and
// todoman on two or more devices, Thunderbird, Evolution's data server, SyncEvolution, calcurse, python-caldav, cadaver, litmus, rclone, davfs2 and curl. Holdfast runs as a process of
// its own, with its data on disk, and is killed where a test says so.
//
// What is compared is octets: the SHA-256 of each file that a client holds, against that of each file in `holdfast export` and in the other devices.
//
// A test is passed over, by name, where its program is not installed; with CI=true that is a failure. scripts/need-tools.sh installs them.
package clients
