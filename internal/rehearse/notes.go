package rehearse

// notes say what a rehearsal does not show.
func (r *rehearsal) notes() []string {
	where := "Everything ran on one machine and one disk."
	if !r.o.NoVault {
		where += " A vault lives on because it lies in another directory; so it would on another disk, and not if its disk ends too."
	}
	list := []string{
		where,
		"The phones are simulated: they do what the sources of DAVx5, Thunderbird, Evolution and vdirsyncer say, an hour in half a second. What they send as photos and films are random octets.",
	}
	switch {
	case r.o.NoVault:
		list = append(list, "This is the control: the same service without any vault, as the design of 2009 had it. It is to lose what was acknowledged.",
			"A service that is begun anew cannot know that there was an earlier one, so nothing here asks phones to wait. What each phone did then is what its client's rules say.")
	case r.o.Fault == PowerCut:
		list = append(list, "A killed process is no power cut: what the system had taken from it is still written. Power cuts of a disk are simulated by `make test`, thousands of them, on the same engine.")
	case r.o.Fault == StaleRestore:
		list = append(list, "The vault came back, and the store was brought up to it. Where every vault is lost as well, an older copy is all that there is: then phones that have seen more are held back with 503, and what they alone have can be salvaged.")
	case r.o.Fault == HalfAVault:
		list = append(list, "Changes waited for both vaults here. One that follows behind may lack the newest of them when the other is damaged.")
	}
	return list
}
