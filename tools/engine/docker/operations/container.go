package operations

import (
	"context"

	"github.com/docker/docker/api/types/container"
	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/shim"
)

// addCPUInputs adds inputs of later releases of the Terraform provider: the share of CPU time. As
// there, a change of one of them is noted and not made.
func addCPUInputs(resource *schema.Resource) {
	for _, name := range []string{"cpu_period", "cpu_quota"} {
		resource.Schema[name] = &schema.Schema{Type: schema.TypeInt, Optional: true}
	}
}

// limitCPU makes a container by create, and then gives it its share of CPU time.
func limitCPU(create operation) operation {
	return func(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
		problems := create(ctx, d, meta)
		resources := container.Resources{
			CPUPeriod: int64(d.Get("cpu_period").(int)),
			CPUQuota:  int64(d.Get("cpu_quota").(int)),
		}
		if problems.HasError() || d.Id() == "" || (resources.CPUPeriod == 0 && resources.CPUQuota == 0) {
			return problems
		}
		// Docker takes the policy along, as it takes all that an update has.
		restart := container.RestartPolicy{
			Name:              d.Get("restart").(string),
			MaximumRetryCount: d.Get("max_retry_count").(int),
		}
		update := container.UpdateConfig{Resources: resources, RestartPolicy: restart}
		if _, err := shim.Client(meta).ContainerUpdate(ctx, d.Id(), update); err != nil {
			return append(problems, diag.Errorf("Unable to limit the container's CPU time: %s", err)...)
		}
		return problems
	}
}
