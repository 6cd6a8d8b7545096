package operations

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/network"
)

func TestNetworkIsCreatedAndRead(t *testing.T) {
	fake := newFakeDocker(t, map[string][]answer{
		"POST /networks/create": {{http.StatusCreated, types.NetworkCreateResponse{ID: "id"}}},
		"GET /networks/id": {{http.StatusOK, types.NetworkResource{
			Name: "name", ID: "id", Driver: "bridge", Scope: "local", Internal: true,
			Labels: map[string]string{"a": "b"},
			IPAM: network.IPAM{Driver: "default", Config: []network.IPAMConfig{
				{Subnet: "10.9.0.0/24", Gateway: "10.9.0.1"},
			}},
			Options: map[string]string{"com.docker.network.driver.mtu": "1400"},
		}}},
	})
	resource, data := newData(t, "docker_network", map[string]any{
		"name":        "name",
		"driver":      "bridge",
		"internal":    true,
		"labels":      []any{map[string]any{"label": "a", "value": "b"}},
		"ipam_config": []any{map[string]any{"subnet": "10.9.0.0/24"}},
		"options":     map[string]any{"com.docker.network.driver.mtu": "1400"},
	})
	started := time.Now()
	if diags := resource.CreateContext(t.Context(), data, fake.meta); diags.HasError() {
		t.Fatal(diags)
	}
	if took := time.Since(started); took > time.Second {
		t.Errorf("it took %v", took)
	}

	var sent types.NetworkCreateRequest
	if err := json.Unmarshal(fake.requests[0].body, &sent); err != nil {
		t.Fatal(err)
	}
	expected := types.NetworkCreateRequest{Name: "name", NetworkCreate: types.NetworkCreate{
		Driver:   "bridge",
		Internal: true,
		Labels:   map[string]string{"a": "b"},
		Options:  map[string]string{"com.docker.network.driver.mtu": "1400"},
		IPAM: &network.IPAM{Driver: "default", Config: []network.IPAMConfig{
			{Subnet: "10.9.0.0/24", AuxAddress: sent.IPAM.Config[0].AuxAddress},
		}},
	}}
	if !reflect.DeepEqual(sent, expected) {
		t.Errorf("the request is %+v, not %+v", sent, expected)
	}
	if data.Id() != "id" || data.Get("scope") != "local" || data.Get("ipam_config.#") != 1 ||
		data.Get("labels.#") != 1 {
		t.Errorf("the state is %v", data.State())
	}
}

func TestWhatIsGoneLeavesTheState(t *testing.T) {
	for _, name := range []string{"docker_network", "docker_volume"} {
		t.Run(name, func(t *testing.T) {
			resource, data := newData(t, name, map[string]any{"name": "name"})
			data.SetId("id")
			fake := newFakeDocker(t, nil)
			if diags := resource.ReadContext(t.Context(), data, fake.meta); diags.HasError() {
				t.Fatal(diags)
			}
			if data.Id() != "" {
				t.Error("it is still there")
			}
		})
	}
}

func TestWhatDockerCanNotTellOfStaysInTheState(t *testing.T) {
	for name, asked := range map[string]string{
		"docker_network": "GET /networks/id",
		"docker_volume":  "GET /volumes/id",
	} {
		t.Run(name, func(t *testing.T) {
			fake := newFakeDocker(t, map[string][]answer{
				asked: {{http.StatusInternalServerError, `{"message":"broken"}`}},
			})
			resource, data := newData(t, name, map[string]any{"name": "name"})
			data.SetId("id")
			diags := resource.ReadContext(t.Context(), data, fake.meta)
			if !diags.HasError() || !strings.Contains(diags[0].Summary, "broken") || data.Id() != "id" {
				t.Errorf("id %q, %v", data.Id(), diags)
			}
		})
	}
}

func TestRemovalWaitsUntilNothingIsUsed(t *testing.T) {
	for name, trial := range map[string]struct{ kind, busy string }{
		"docker_network": {"DELETE /networks/id", "network n has active endpoints"},
		"docker_volume":  {"DELETE /volumes/id", "remove id: volume is in use - [c]"},
	} {
		t.Run(name, func(t *testing.T) {
			message := map[string]string{"message": trial.busy}
			fake := newFakeDocker(t, map[string][]answer{trial.kind: {
				{http.StatusConflict, message}, {http.StatusConflict, message},
				{http.StatusNoContent, nil},
			}})
			resource, data := newData(t, name, map[string]any{"name": "name"})
			data.SetId("id")
			started := time.Now()
			if diags := resource.DeleteContext(t.Context(), data, fake.meta); diags.HasError() {
				t.Fatal(diags)
			}
			if took := time.Since(started); took > time.Second {
				t.Errorf("it took %v", took)
			}
			if data.Id() != "" || fake.count(trial.kind) != 3 {
				t.Errorf("id %q after %d requests", data.Id(), fake.count(trial.kind))
			}

			broken := newFakeDocker(t, map[string][]answer{trial.kind: {
				{http.StatusInternalServerError, `{"message":"broken"}`},
			}})
			data.SetId("id")
			diags := resource.DeleteContext(t.Context(), data, broken.meta)
			if !diags.HasError() || !strings.Contains(diags[0].Summary, "broken") {
				t.Errorf("another error: %v", diags)
			}

			gone := newFakeDocker(t, nil)
			if diags := resource.DeleteContext(t.Context(), data, gone.meta); diags.HasError() {
				t.Errorf("what is gone already: %v", diags)
			}
		})
	}
}
