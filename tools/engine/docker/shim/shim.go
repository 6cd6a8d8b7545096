// Package shim opens the Terraform provider for Docker to the bridge: the provider's own package
// is internal to its module path, which this module's path lies under.
package shim

import (
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// NewProvider returns the Terraform provider, with version in its user agent.
func NewProvider(version string) *schema.Provider {
	return provider.New(version)()
}
