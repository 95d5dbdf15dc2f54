package main

import linux "golang.org/x/sys/unix"

// refuseCode takes from this process the right to run what it has written to memory, where the kernel can (Linux 6.6). Its decoders, which compile WebAssembly, keep it: the unit cannot take it from one and leave it to the other.
func refuseCode() {
	_ = linux.Prctl(linux.PR_SET_MDWE, linux.PR_MDWE_REFUSE_EXEC_GAIN|linux.PR_MDWE_NO_INHERIT, 0, 0, 0) // an older kernel knows no such thing
}
