// Command pulumi-tfgen-docker writes the schema of the bridged provider.
package main

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfgen"

	"ipyparallel-cluster/tools/engine/docker"
)

func main() {
	tfgen.Main(docker.Name, docker.Version, docker.Provider())
}
