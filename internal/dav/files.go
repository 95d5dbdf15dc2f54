package dav

import "holdfast"

// JudgeFile is the core.Judge of folders and of the home of files: any octets under any name. Other homes take collections only. What they
// are is the business of who reads them.
func JudgeFile(c *holdfast.Collection, name, _ string, _ []byte) (holdfast.Kind, holdfast.Index, error) {
	if c.Type == holdfast.TypeHome && c.Name != holdfast.HomeFiles {
		return 0, holdfast.Index{}, &holdfast.Error{Op: "dav.JudgeFile", Kind: holdfast.Forbidden, Ref: name, Text: "only collections stand here; put this into one of them"}
	}
	return holdfast.KindFile, holdfast.Index{}, nil
}
