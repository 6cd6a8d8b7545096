// Package operations is the Terraform provider for Docker with a few of its operations replaced:
// those that tell too little or wait too long.
package operations

import (
	"context"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
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

	volume := docker.ResourcesMap["docker_volume"]
	volume.ReadContext = unlessGone(volume.ReadContext)
	volume.DeleteContext = deleteVolume

	container := docker.ResourcesMap["docker_container"]
	addCPUInputs(container)
	container.CreateContext = limitCPU(quiet(container.CreateContext))
	container.ReadContext = quiet(container.ReadContext)
	container.UpdateContext = quiet(container.UpdateContext)
	container.DeleteContext = quiet(container.DeleteContext)

	addDaemonCheck(docker)
	return docker
}

// addDaemonCheck adds a setting that the official plugin has: whether the provider asks the daemon
// before anything is asked of the provider.
func addDaemonCheck(docker *schema.Provider) {
	const disabled = "disable_docker_daemon_check"
	docker.Schema[disabled] = &schema.Schema{Type: schema.TypeBool, Optional: true}
	configure := docker.ConfigureContextFunc
	docker.ConfigureContextFunc = func(
		ctx context.Context, data *schema.ResourceData,
	) (any, diag.Diagnostics) {
		if data.Get(disabled).(bool) {
			return shim.Configure(data)
		}
		return configure(ctx, data)
	}
}
