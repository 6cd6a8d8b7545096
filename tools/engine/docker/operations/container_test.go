package operations

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
)

// made stands for the Terraform provider's own operation.
func made(_ context.Context, d *schema.ResourceData, _ any) diag.Diagnostics {
	d.SetId("id")
	return nil
}

func TestContainerGetsItsShareOfCPUTime(t *testing.T) {
	fake := newFakeDocker(t, map[string][]answer{
		"POST /containers/id/update": {{http.StatusOK, container.ContainerUpdateOKBody{}}},
	})
	_, data := newData(t, "docker_container", map[string]any{
		"name": "name", "image": "image", "restart": "on-failure", "cpu_period": 100000, "cpu_quota": 45000,
	})
	if problems := limitCPU(made)(t.Context(), data, fake.meta); problems.HasError() {
		t.Fatal(problems)
	}
	var sent container.UpdateConfig
	if err := json.Unmarshal(fake.requests[0].body, &sent); err != nil {
		t.Fatal(err)
	}
	if sent.CPUPeriod != 100000 || sent.CPUQuota != 45000 || sent.RestartPolicy.Name != "on-failure" {
		t.Errorf("the request is %+v", sent)
	}
}

func TestContainerWithoutAShareIsLeftAlone(t *testing.T) {
	fake := newFakeDocker(t, nil)
	_, data := newData(t, "docker_container", map[string]any{"name": "name", "image": "image"})
	if problems := limitCPU(made)(t.Context(), data, fake.meta); problems.HasError() {
		t.Fatal(problems)
	}
	if len(fake.requests) != 0 {
		t.Errorf("Docker was asked: %+v", fake.requests)
	}
}
