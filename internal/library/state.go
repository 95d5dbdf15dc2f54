package library

// The states of octets: what was done with them. Numbers lie in the index.
const (
	stateNone    = -1 // not known
	stateNew     = 0  // nothing was read of them
	stateRead    = 1  // what they say of themselves is known, thumbnails wait
	stateDone    = 2  // thumbnails are there
	stateNever   = 3  // there will be none, with why
	stateNoFilms = 4  // a film, and ffmpeg is not there
	stateBroken  = 5  // the octets cannot be had: damaged or lost. They are looked at again, as they may be mended
	stateOther   = 6  // no photo and no film, nor called so
	stateLater   = 7  // they are tried again after a while
	stateParked  = 8  // they lie nowhere now, and are read when they lie somewhere again
)

// State is what there is of a photo's pictures, in a word.
type State string

// The states that are shown.
const (
	Waiting     State = "waiting"     // its thumbnails are not made yet
	Ready       State = "ready"       // they are there
	Undecodable State = "undecodable" // there will be none; Why says why
	NoPoster    State = "no-poster"   // a film has none, as ffmpeg is not installed
	Broken      State = "broken"      // its octets are damaged or lost
)

func shownState(state int) State {
	switch state {
	case stateDone:
		return Ready
	case stateNever, stateOther:
		return Undecodable
	case stateNoFilms:
		return NoPoster
	case stateBroken:
		return Broken
	}
	return Waiting
}

// whyNot says in words why there is no thumbnail.
func whyNot(state int, why string) string {
	switch {
	case why != "":
		return why
	case state == stateNoFilms:
		return "films have no posters here, because ffmpeg is not installed"
	case state == stateOther:
		return "it is no photo that is known"
	}
	return "it could not be made"
}
