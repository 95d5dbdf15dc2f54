package uploads

// Natural is the order of chunks.
var Natural = natural

// Age looks for what is too old.
func (s *Store) Age() { s.age() }
