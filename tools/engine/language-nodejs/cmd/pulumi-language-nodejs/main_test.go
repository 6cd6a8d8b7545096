package main

import (
	"slices"
	"testing"
)

func TestFlags(t *testing.T) {
	for project, want := range map[string][]string{
		"runtime: nodejs": nil,
		"runtime:\n  name: nodejs\n  options:\n    typescript: false\n    nodeargs: --require ./a.cjs": {
			"-typescript=false", "-nodeargs=--require ./a.cjs",
		},
		"runtime: {name: nodejs, options: {packagemanager: npm, tsconfig: a.json}}": {"-tsconfig=a.json"},
		"": nil,
	} {
		if got := flags([]byte(project)); !slices.Equal(got, want) {
			t.Errorf("flags(%q) = %q, want %q", project, got, want)
		}
	}
}
