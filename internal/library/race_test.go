//go:build race

package library

// raced: the race detector reserves more addresses than a child may name, so children of these tests are not confined.
const raced = true
