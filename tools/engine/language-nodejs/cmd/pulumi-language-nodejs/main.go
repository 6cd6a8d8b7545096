// Command pulumi-language-nodejs starts Pulumi's host for Node.js programs with the options that
// Pulumi.yaml has for it. Today's CLI hands them over in another way than the host that can be built
// from a Go module knows: it takes them as flags.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"gopkg.in/yaml.v3"
)

// host is the name of the host's binary, beside this one.
const host = "pulumi-nodejs-host"

// flags returns the flags for the options in a Pulumi.yaml; a runtime that is just a name has none.
func flags(project []byte) []string {
	var content struct {
		Runtime struct {
			Options map[string]any `yaml:"options"`
		} `yaml:"runtime"`
	}
	if yaml.Unmarshal(project, &content) != nil {
		return nil
	}
	var result []string
	for _, name := range []string{"typescript", "tsconfig", "nodeargs"} {
		if value, ok := content.Runtime.Options[name]; ok {
			result = append(result, fmt.Sprintf("-%s=%v", name, value))
		}
	}
	return result
}

func main() {
	self, err := os.Executable()
	if err == nil {
		project, _ := os.ReadFile("Pulumi.yaml") // the CLI starts hosts in the project's folder
		path := filepath.Join(filepath.Dir(self), host)
		args := append([]string{path}, flags(project)...)
		err = syscall.Exec(path, append(args, os.Args[1:]...), os.Environ())
	}
	fmt.Fprintln(os.Stderr, "pulumi-language-nodejs:", err)
	os.Exit(1)
}
