// Package retain lets the octets go in the living store that retention has ended for: those of versions that were replaced or deleted long ago.
//
// It has no rule of its own for what is old. Each vault's heads and history say that ([vault.Vault.ProvenHeads], [vault.History.Superseded]), and only what all of them say goes: every one that is
// asked has these versions, or let go of them for the same reason, is sound, and was seen to restore the account after the age had come. The engine itself takes nothing that is live, or a record. docs/design/0035 says why.
package retain
