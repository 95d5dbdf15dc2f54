package vault

import (
	_ "embed"
	"slices"

	"holdfast"
)

// readMe is the object HOLDFAST.txt of every vault.
//
//go:embed HOLDFAST.txt
var readMe string

// earlierReadMes are the hashes of the texts that versions before this one wrote. They are as good: a vault is not damaged because it is older than the program.
var earlierReadMes = []string{
	"da0f1ec3315ae85d768b2b114c4b88305d9aaa8b93fc42f97c6620f92419ac22", // said nothing of ledgers
	"f34691ed367ac9e14851ba6804a6351ba66411a583dfe884bf35eaf8b770cb87", // said nothing of lines without octets
	"82603306ce0f654d18a32d864d88ab4750d79f09f250acf3518c00c0659a542e", // said nothing of large files
	"7b93f3a5e074d047648ab4346fc92059b4f83c18a3d657021031fbd331b2629f", // said nothing of what goes with an erased account
	"502a059e2862a9c9ec9a7454e0e89efc46cc1ac54a429a0e780f657bd925e343", // said nothing of pieces
}

// isReadMe tells whether octets are a text that a vault has, of this version or an earlier one.
func isReadMe(b []byte) bool {
	return string(b) == readMe || slices.Contains(earlierReadMes, holdfast.HashOf(b).String())
}
