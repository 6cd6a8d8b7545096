module github.com/terraform-providers/terraform-provider-docker/shim

go 1.26

require (
	github.com/docker/cli v20.10.21+incompatible
	github.com/docker/docker v20.10.21+incompatible
	github.com/hashicorp/terraform-plugin-sdk/v2 v2.24.0
	github.com/mitchellh/go-homedir v1.1.0
	github.com/moby/buildkit v0.10.5
	github.com/terraform-providers/terraform-provider-docker v0.0.0
)
