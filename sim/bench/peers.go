package main

import "context"

func (b *bench) allPeers(ctx context.Context) error { return nil }
