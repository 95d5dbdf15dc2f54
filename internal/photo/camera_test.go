package photo

import "testing"

// TestCameraName: the maker stands once, also where the model says it again.
func TestCameraName(t *testing.T) {
	for want, c := range map[string]Camera{
		"Canon PowerShot SX60 HS":     {Make: "Canon", Model: "Canon PowerShot SX60 HS"},
		"NIKON D70":                   {Make: "NIKON CORPORATION", Model: "NIKON D70 "},
		"Jolla":                       {Make: "Jolla", Model: "Jolla"},
		"Apple iPhone 6":              {Make: "Apple", Model: "iPhone 6"},
		"OLYMPUS IMAGING CORP. u1020": {Make: "OLYMPUS IMAGING CORP.  ", Model: "u1020"},
		"E950":                        {Model: "E950"},
		"Leica":                       {Make: "Leica"},
		"HP HPE 5":                    {Make: "HP", Model: "HPE 5"},
		"":                            {},
	} {
		if got := c.Name(); got != want {
			t.Errorf("%+v is %q, want %q", c, got, want)
		}
	}
}
