// Package docker makes a Pulumi provider of the Terraform provider for Docker, with the names of
// the npm package @pulumi/docker.
package docker

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	pulumi "github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"ipyparallel-cluster/tools/engine/docker/operations"
)

const (
	// Name is the name of the Pulumi package.
	Name = "docker"
	// Version is the release of @pulumi/docker that the provider stands in for.
	Version = "5.2.0"
)

// Provider describes the bridged provider.
func Provider() tfbridge.ProviderInfo {
	field := func(name string) *tfbridge.SchemaInfo { return &tfbridge.SchemaInfo{Name: name} }
	info := tfbridge.ProviderInfo{
		P:       shimv2.NewProvider(operations.NewProvider(Version)),
		Name:    Name,
		Version: Version,
		Config: map[string]*tfbridge.SchemaInfo{
			"registry_auth": {Name: "registryAuth", MaxItemsOne: tfbridge.False()},
		},
		Resources: map[string]*tfbridge.ResourceInfo{
			"docker_config": {Tok: resourceToken("ServiceConfig")},
			"docker_container": {
				Tok:                 resourceToken("Container"),
				DeleteBeforeReplace: true,
				Fields: map[string]*tfbridge.SchemaInfo{
					"command":           field("command"),
					"networks_advanced": field("networksAdvanced"),
				},
			},
			"docker_image": {
				Tok: resourceToken("RemoteImage"),
				Fields: map[string]*tfbridge.SchemaInfo{
					"name": field("name"),
					"build": {Elem: &tfbridge.SchemaInfo{Fields: map[string]*tfbridge.SchemaInfo{
						"path":      field("context"),
						"build_arg": field("buildArgs"),
					}}},
				},
			},
		},
		DataSources: map[string]*tfbridge.DataSourceInfo{
			"docker_image": {Tok: "docker:index/getRemoteImage:getRemoteImage"},
		},
	}
	info.MustComputeTokens(tokens.SingleModule("docker_", "index", tokens.MakeStandard(Name)))
	info.SetAutonaming(255, "-")
	refuseUnknownInputs(&info)
	return info
}

// resourceToken returns the token of the resource type name.
func resourceToken(name string) pulumi.Type {
	return tfbridge.MakeResource(Name, "index", name)
}
