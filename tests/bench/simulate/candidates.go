package main

// candidates are rows for policies that are being tried out.
func candidates() []policy { return nil }
