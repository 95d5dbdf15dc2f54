package fleet

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Credential is what one device signs in with.
type Credential struct {
	Login    string `json:"login"`
	Password string `json:"password"` // the app password
}

// maxLine bounds a line of the file of accounts, in octets.
const maxLine = 4096

// ParseCredentials reads a file of accounts: one JSON object a line, {"login":…, "password":…}, for each device. Empty lines and those that begin with # are passed over.
func ParseCredentials(r io.Reader) ([]Credential, error) {
	var list []Credential
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, maxLine), maxLine)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		var c Credential
		if err := json.Unmarshal([]byte(text), &c); err != nil || c.Login == "" || c.Password == "" {
			return nil, fmt.Errorf(`line %d is not {"login":"alice@example.org","password":"…"}`, n) // without the line: a password is in it
		}
		list = append(list, c)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("there is no account in it")
	}
	return list, nil
}
