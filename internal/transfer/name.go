package transfer

import (
	"holdfast"
)

// maxUIDName is the longest UID that serves as a name; an extension and a suffix must still fit.
const maxUIDName = 200

// nameOf returns the resource's name for an item, with an extension: its UID where that can be a plain file name, otherwise a hash of it. other is for the case that the
// name is taken. Both depend on the UID alone, so that an import that is run again finds the same ones.
func nameOf(uid, ext string) (name, other string) {
	sum := holdfast.HashOf([]byte(uid)).String()
	if plain(uid) {
		return uid + ext, uid + "-" + sum[:8] + ext
	}
	return sum[:32] + ext, sum + ext
}

// plain tells whether a UID looks like a file name in every path, URL and file system.
func plain(uid string) bool {
	if uid == "" || len(uid) > maxUIDName || uid[0] == '.' || uid[0] == '-' {
		return false
	}
	for _, c := range []byte(uid) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == '@':
		default:
			return false
		}
	}
	return true
}
