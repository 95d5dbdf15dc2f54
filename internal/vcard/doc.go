// Package vcard reads, judges, searches and, where asked, rewrites vCards.
//
// The octets that a client sent are the truth. They are stored and returned
// verbatim by other packages; nothing here changes them behind anyone's back.
// This package only cuts them into lines without losing one octet (Parse),
// says whether they may be stored and under which UID (Judge), answers
// searches (Filter, Matcher) and partial retrieval (Project), gives the same
// card in the other version to a client that asks for it (Convert), and, for
// import alone, cuts files into cards (Split) and mends what real programs
// write (Mend).
//
// The two judges differ on purpose. Judge is for a PUT: it accepts what
// RFC 6352 lets a server accept and otherwise names the precondition, because
// a client that sent octets must find those octets again. Mend is for import:
// a person gave us a file, and a contact with a repaired line is worth more
// than a refusal. Every repair is told in one short sentence.
//
// Supported are vCard 3.0 (RFC 2426) and 4.0 (RFC 6350) everywhere, and
// vCard 2.1 as input of Mend. Parameter values follow RFC 6868.
//
// What content lines are in themselves (folds, names, escapes, RFC 6868) is
// package content's part.
//
// All input is hostile: every function runs in time and memory linear in its
// input, refuses more than its Limits allow, and never panics.
//
// The parts:
//
//	token.go    Parse, Card, Line, Param, Limits
//	value.go    dividing of parameter values
//	judge.go    Judge, Index, Refusal, Precondition
//	filter.go   Filter, PropFilter, ParamFilter, Matcher
//	project.go  Project, PropSel
//	write.go    changing and composing of lines
//	convert.go  Convert; to4.go and to3.go hold the two directions, dates.go
//	            the forms of dates and times
//	split.go    Split, Piece
//	mend.go     Mend; lax.go reads broken lines, qp.go decodes old encodings,
//	            from21.go converts version 2.1, complete.go adds what is missing
package vcard
