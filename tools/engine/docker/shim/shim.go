// Package shim opens the Terraform provider for Docker: the provider's own package is internal to
// its module path, which this module's path lies under.
package shim

import (
	_ "unsafe" // for go:linkname

	"github.com/docker/docker/client"
	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
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

// Configure does what the provider's own configuration does, but leaves the daemon alone.
func Configure(data *schema.ResourceData) (any, diag.Diagnostics) {
	text := func(name string) string { return data.Get(name).(string) }
	config := provider.Config{
		Host:     text("host"),
		Ca:       text("ca_material"),
		Cert:     text("cert_material"),
		Key:      text("key_material"),
		CertPath: text("cert_path"),
	}
	for _, option := range data.Get("ssh_opts").([]any) {
		config.SSHOpts = append(config.SSHOpts, option.(string))
	}
	docker, err := config.NewClient()
	if err != nil {
		return nil, diag.Errorf("Error initializing Docker client: %s", err)
	}
	credentials := &provider.AuthConfigs{}
	if given, ok := data.GetOk("registry_auth"); ok {
		if credentials, err = registryAuth(given.(*schema.Set)); err != nil {
			return nil, diag.Errorf("Error loading registry auth config: %s", err)
		}
	}
	return &provider.ProviderConfig{DockerClient: docker, AuthConfigs: credentials}, nil
}

//go:linkname registryAuth github.com/terraform-providers/terraform-provider-docker/internal/provider.providerSetToRegistryAuth
func registryAuth(given *schema.Set) (*provider.AuthConfigs, error)
