// Package content reads and writes content lines, the ground that iCalendar (RFC 5545, section 3.1) and vCard (RFC 6350, section 3.2) share.
//
// A Reader cuts text into content lines without losing one octet and undoes their folds; Fragments does the first half of that for files of
// any size, encoding and line ends. The rest are the parts of one line: its name, its text value, its parameters' values (RFC 6868), and the
// way back with AppendFolded.
//
// What a line means, which parameters it may have and how strictly their quotes are read differs between the two formats and stays with
// packages ical and vcard.
//
// All input is hostile: every function runs in time and memory linear in its input, and never panics.
package content
