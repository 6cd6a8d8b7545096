// Command pulumi-resource-command is the plugin that serves the provider to Pulumi.
package main

import (
	"context"
	"fmt"
	"os"

	p "github.com/pulumi/pulumi-go-provider"

	"ipyparallel-cluster/tools/engine/command"
)

func main() {
	if err := p.RunProvider(context.Background(), command.Name, command.Version, command.Provider()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
