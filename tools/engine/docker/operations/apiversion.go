package operations

import (
	"context"
	"sync"

	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/shim"
)

const (
	// strictVersion is the API version of Docker 29, the first that refuses the client's own, 1.41.
	strictVersion = "1.52"
	// oldestStrict is the oldest version that Docker 29 accepts. What this plugin sends and reads is
	// the same in it.
	oldestStrict = "1.44"
)

// negotiated has a sync.Once for each client that has been used.
var negotiated sync.Map

// negotiate agrees with the daemon on a version of its API, before the first request.
func negotiate(ctx context.Context, docker *client.Client) {
	once, _ := negotiated.LoadOrStore(docker, &sync.Once{})
	once.(*sync.Once).Do(func() {
		ping, err := docker.Ping(ctx)
		if err != nil {
			return // the request itself will say so
		}
		if ping.APIVersion != "" && versions.GreaterThanOrEqualTo(ping.APIVersion, strictVersion) {
			_ = client.WithVersion(oldestStrict)(docker)
			return
		}
		docker.NegotiateAPIVersionPing(ping)
	})
}

// negotiating makes an operation negotiate the version first.
func negotiating(run operation) operation {
	if run == nil {
		return nil
	}
	return func(ctx context.Context, data *schema.ResourceData, meta any) diag.Diagnostics {
		negotiate(ctx, shim.Client(meta))
		return run(ctx, data, meta)
	}
}
