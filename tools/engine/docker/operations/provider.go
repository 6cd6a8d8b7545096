// Package operations is the Terraform provider for Docker with a few of its operations replaced:
// those that tell too little or wait too long.
package operations

import (
	"context"

	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/shim"
)

// NewProvider returns the provider, with version in its user agent. progress is called with each
// line that a build of an image has to tell while it goes on.
func NewProvider(version string, progress func(ctx context.Context, line string)) *schema.Provider {
	docker := shim.NewProvider(version)

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
