// Package ical reads, judges, cuts and, where asked, rewrites iCalendar objects (RFC 5545).
//
// The octets that a client sent are the truth. They are stored and returned verbatim by other packages; nothing here changes them behind
// anyone's back. This package cuts them into content lines and components without losing one octet (Parse), reads values (DateTime,
// Duration, Period, text), says whether they may be stored and under which UID (Judge), and writes parts of them (Append). For import
// alone, it cuts files into objects (Split) and mends what real programs write (Mend).
//
// The two judges differ on purpose. Judge is for a PUT: it accepts what RFC 4791 lets a server accept and otherwise names the
// precondition, because a client that sent octets must find those octets again. Mend is for import: a person gave us a file, and an event
// with a repaired line is worth more than a refusal. Every repair is told in one short sentence.
//
// What depends on zones and on recurrence rules is judged elsewhere: the packages recur, zone and occur below this one. Here a rule is a
// string and a time is what a wall clock shows.
//
// All input is hostile: every function runs in time and memory linear in its input, refuses more than its Limits allow, and never panics.
//
// The parts:
//
//	token.go   Limits, Line, Param and what calendars add to the content lines of package content
//	tree.go    Parse, Component; write.go composes
//	value.go   text, lists, parameters; time.go DateTime, Duration, Period, UTC offsets
//	judge.go   Judge, Index, Refusal, Precondition; check.go looks into one component
//	split.go   Split, Piece; gather.go puts together what belongs together
//	mend.go    Mend; lax.go reads broken lines, repair.go the values, choose.go settles which of several versions stays,
//	           from1.go rewrites vCalendar 1.0
package ical
