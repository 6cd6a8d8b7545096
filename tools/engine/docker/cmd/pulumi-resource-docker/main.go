// Command pulumi-resource-docker is the plugin that serves the bridged provider to Pulumi.
package main

import (
	"os"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"

	"ipyparallel-cluster/tools/engine/docker"
	"ipyparallel-cluster/tools/engine/docker/operations"
	"ipyparallel-cluster/tools/engine/docker/schema"
)

func main() {
	if os.Getenv(operations.LogLevel) == "" {
		// By default it logs errors, and the user would see each of them twice.
		_ = os.Setenv(operations.LogLevel, "off")
	}
	tfbridge.Main(docker.Name, docker.Version, docker.Provider(), schema.JSON)
}
