// Package shim opens the Terraform provider for Docker: the provider's own package is internal to
// its module path, which this module's path lies under.
package shim

import (
	"github.com/docker/docker/client"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// NewProvider returns the Terraform provider, with version in its user agent.
func NewProvider(version string) *schema.Provider {
	return provider.New(version)()
}

// Client returns the Docker client of a configured provider, whose operations get it in meta.
func Client(meta any) *client.Client {
	return meta.(*provider.ProviderConfig).DockerClient
}

// Meta is what the operations of a provider with the given client get, without credentials.
func Meta(docker *client.Client) any {
	return &provider.ProviderConfig{DockerClient: docker}
}
