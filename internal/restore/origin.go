package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"holdfast"
	"holdfast/internal/vault"
)

// Origin is who has blobs. Its methods may be called from many goroutines.
type Origin interface {
	// Read hands fn a blob's octets as a stream that ends in an error where they do not have their hash, and where they are from. fn is called again, from the beginning, where somebody else may have them whole.
	// Errors: NotFound (nobody has it), Corrupt (nobody has it whole), Unavailable (somebody who may have it cannot be reached), those of fn.
	Read(ctx context.Context, account holdfast.ID, b holdfast.Blob, fn func(r io.Reader, from string) error) error
}

// Of returns what vaults have: each blob out of the first that has it whole. Ledgers have none.
func Of(vaults ...*vault.Vault) Origin { return origin(vaults) }

type origin []*vault.Vault

// Read implements [Origin].
func (o origin) Read(ctx context.Context, account holdfast.ID, b holdfast.Blob, fn func(io.Reader, string) error) error {
	var away error
	var why []string
	kind := holdfast.NotFound
	for _, v := range o {
		name := v.Meta().Name
		if v.Meta().Ledger() {
			why = append(why, fmt.Sprintf("the vault %s is a ledger", name))
			continue
		}
		var own error // of fn
		err := v.ReadBlob(ctx, account, b, func(r io.Reader) error {
			x := &heard{r: r}
			err := fn(x, name)
			if err != nil && x.err == nil {
				own = err
			}
			return err
		})
		switch k := holdfast.KindOf(err); {
		case err == nil:
			return nil
		case own != nil || ctx.Err() != nil:
			return err
		case k == holdfast.NotFound:
			why = append(why, fmt.Sprintf("the vault %s has none", name))
		case k == holdfast.Corrupt || k == holdfast.Unauthorized || k == holdfast.Invalid || k == holdfast.TooLarge || errors.Is(err, io.ErrUnexpectedEOF):
			kind = holdfast.Corrupt
			why = append(why, fmt.Sprintf("those in the vault %s are damaged (%s)", name, sentenceOf(err)))
		default:
			away = err
		}
	}
	if away != nil {
		return away
	}
	if len(why) == 0 {
		why = append(why, "no vault was given")
	}
	return fail("Read", kind, b.Hash.String(), strings.Join(why, "; "), nil)
}

// heard notes the error that a stream ends in.
type heard struct {
	r   io.Reader
	err error
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if err != nil && err != io.EOF {
		h.err = err
	}
	return n, err
}

// sentenceOf is what an error says to people.
func sentenceOf(err error) string {
	var e *holdfast.Error
	if errors.As(err, &e) && e.Text != "" {
		return e.Text
	}
	return err.Error()
}
