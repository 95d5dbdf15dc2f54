package holdfast

import (
	"reflect"
	"testing"
	"time"
)

func TestRecordsOfSharing(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	share := ShareRecord{Collection: fixedID(1), Guest: fixedID(2), Rights: RightWrite, Created: at}
	if got, err := DecodeShare(share.Encode()); err != nil || got != share {
		t.Errorf("%+v, %v", got, err)
	}
	binding := BindingRecord{Owner: fixedID(1), Collection: fixedID(2), Home: HomeCalendars, Name: "x", Created: at}
	if got, err := DecodeBinding(binding.Encode()); err != nil || !reflect.DeepEqual(got, binding) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, body := range []string{``, `{}`, `null`, `[]`, `{"collection":"x"}`, string(share.Encode()[1:]), string(binding.Encode())} {
		if r, err := DecodeShare([]byte(body)); err == nil {
			t.Errorf("a share of %q: %+v", body, r)
		}
	}
	for _, r := range []ShareRecord{{Guest: fixedID(2), Rights: RightRead}, {Collection: fixedID(1), Rights: RightRead}, {Collection: fixedID(1), Guest: fixedID(2), Rights: "own"}} {
		if _, err := DecodeShare(r.Encode()); err == nil {
			t.Errorf("%+v was taken", r)
		}
	}
	for _, r := range []BindingRecord{{Collection: fixedID(2), Home: "h", Name: "x"}, {Owner: fixedID(1), Home: "h", Name: "x"}, {Owner: fixedID(1), Collection: fixedID(2), Name: "x"},
		{Owner: fixedID(1), Collection: fixedID(2), Home: "h", Name: "a/b"}} {
		if _, err := DecodeBinding(r.Encode()); err == nil {
			t.Errorf("%+v was taken", r)
		}
	}
	for _, name := range []string{ShareName(fixedID(1), fixedID(2)), BindingName(fixedID(1))} {
		if err := CheckName(name); err != nil {
			t.Error(err)
		}
	}
	if !KindShare.Credential() || !KindBinding.Credential() {
		t.Error("a restore would bring back rights that were taken")
	}
}
