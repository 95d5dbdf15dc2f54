package storetest

import "testing"

func Random(t *testing.T, open Open) {}
