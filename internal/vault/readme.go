package vault

import _ "embed"

// readMe is the object HOLDFAST.txt of every vault.
//
//go:embed HOLDFAST.txt
var readMe string
