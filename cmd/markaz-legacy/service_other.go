//go:build !windows

package main

import "context"

// asService is for Windows.
func asService(func(context.Context, []string, console) int) bool { return false }
