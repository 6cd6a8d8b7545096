// Package operations is the Terraform provider for Docker with a few of its operations replaced:
// those that tell too little or wait too long.
package operations

import (
	"context"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/shim"
)

// NewProvider returns the provider, with version in its user agent.
func NewProvider(version string) *schema.Provider {
	docker := shim.NewProvider(version)

	// The official plugin builds on this machine otherwise; this one never does.
	build := docker.ResourcesMap["docker_image"].Schema["build"].Elem.(*schema.Resource).Schema
	build["use_legacy_builder"] = &schema.Schema{Type: schema.TypeBool, Optional: true}

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

	for _, resource := range docker.ResourcesMap {
		resource.CreateContext = negotiating(resource.CreateContext)
		resource.ReadContext = negotiating(resource.ReadContext)
		resource.UpdateContext = negotiating(resource.UpdateContext)
		resource.DeleteContext = negotiating(resource.DeleteContext)
	}
	for _, source := range docker.DataSourcesMap {
		source.ReadContext = negotiating(source.ReadContext)
	}

	addDaemonCheck(docker)
	addContext(docker)
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

// addContext adds another setting of the official plugin: the name of a Docker context, which counts
// for more than the host, and is DOCKER_CONTEXT where a program does not say. This plugin knows no
// contexts, and refuses a name rather than go to another Docker.
func addContext(docker *schema.Provider) {
	docker.Schema["context"] = &schema.Schema{
		Type:        schema.TypeString,
		Optional:    true,
		DefaultFunc: schema.EnvDefaultFunc("DOCKER_CONTEXT", ""),
	}
	configure := docker.ConfigureContextFunc
	docker.ConfigureContextFunc = func(
		ctx context.Context, data *schema.ResourceData,
	) (any, diag.Diagnostics) {
		if name := data.Get("context").(string); name != "" {
			return nil, diag.Errorf("context: must be empty (got %q): this plugin takes the Docker of "+
				"`host`; set `context` to \"\", or unset DOCKER_CONTEXT", name)
		}
		return configure(ctx, data)
	}
}
