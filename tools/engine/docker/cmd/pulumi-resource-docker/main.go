// Command pulumi-resource-docker is the plugin that serves the bridged provider to Pulumi.
package main

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"

	"ipyparallel-cluster/tools/engine/docker"
	"ipyparallel-cluster/tools/engine/docker/schema"
)

func main() {
	tfbridge.Main(docker.Name, docker.Version, docker.Provider(), schema.JSON)
}
