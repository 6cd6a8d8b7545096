// Package shim opens the Terraform provider for Docker to the bridge: the provider's own package is
// internal to its module path, which this module's path lies under. It also replaces the few of the
// provider's operations that tell too little or wait too long.
package shim

import (
	"context"

	"github.com/docker/docker/client"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// NewProvider returns the Terraform provider, with version in its user agent. progress is called
// with each line that a build of an image has to tell while it goes on.
func NewProvider(version string, progress func(ctx context.Context, line string)) *schema.Provider {
	docker := provider.New(version)()

	image := docker.ResourcesMap["docker_image"]
	image.CreateContext = imageBuilder{
		progress: progress,
		create:   image.CreateContext,
		read:     image.ReadContext,
	}.createImage
	addBuildInputs(image)

	network := docker.ResourcesMap["docker_network"]
	network.CreateContext = createNetwork
	network.ReadContext = readNetwork
	network.DeleteContext = deleteNetwork

	docker.ResourcesMap["docker_volume"].DeleteContext = deleteVolume
	return docker
}

// clientOf returns the Docker client in the provider's configuration.
func clientOf(meta any) *client.Client {
	return meta.(*provider.ProviderConfig).DockerClient
}
