package docker_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"

	"ipyparallel-cluster/tools/engine/docker"
	"ipyparallel-cluster/tools/engine/docker/schema"
)

func newProvider(t *testing.T) pulumirpc.ResourceProviderServer {
	t.Helper()
	info := docker.Provider()
	return tfbridge.NewProvider(
		t.Context(), nil, docker.Name, docker.Version, info.P, info, schema.JSON)
}

func marshal(t *testing.T, inputs map[string]any) *structpb.Struct {
	t.Helper()
	encoded, err := plugin.MarshalProperties(resource.NewPropertyMapFromMap(inputs),
		plugin.MarshalOptions{KeepSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// check checks the inputs of a resource, and returns what is wrong with them.
func check(t *testing.T, kind string, inputs map[string]any) string {
	t.Helper()
	urn := resource.NewURN("test", "test", "", tokens.Type(kind), "it")
	response, err := newProvider(t).Check(t.Context(), &pulumirpc.CheckRequest{
		Urn: string(urn), News: marshal(t, inputs),
	})
	if err != nil {
		return err.Error()
	}
	var reasons []string
	for _, failure := range response.Failures {
		reasons = append(reasons, failure.Reason)
	}
	return strings.Join(reasons, "; ")
}

func TestUnknownInputsAreRefused(t *testing.T) {
	container := func(more map[string]any) map[string]any {
		inputs := map[string]any{"name": "n", "image": "i", "__defaults": []any{}}
		for name, value := range more {
			inputs[name] = value
		}
		return inputs
	}
	const containerKind = "docker:index/container:Container"
	const imageKind = "docker:index/remoteImage:RemoteImage"
	for name, trial := range map[string]struct {
		kind    string
		inputs  map[string]any
		unknown string
	}{
		"known": {containerKind, container(map[string]any{
			"uploads": []any{map[string]any{"file": "/f", "content": "c"}},
			"tmpfs":   map[string]any{"/run": "rw"},
			"labels":  []any{map[string]any{"label": "l", "value": "v"}},
		}), ""},
		"of later releases": {containerKind, container(map[string]any{"cpus": "1.5"}), "cpus"},
		"nested": {containerKind, container(map[string]any{
			"uploads": []any{
				map[string]any{"file": "/f", "content": "c"},
				map[string]any{"file": "/g", "content": "c", "permissions": "0600"},
			},
		}), "uploads[1].permissions"},
		"several": {containerKind, container(map[string]any{
			"memroy": 1, "healthcheck": map[string]any{"tests": []any{"CMD"}, "startInterval": "1s"},
		}), "healthcheck.startInterval, memroy"},
		"of a build": {imageKind, map[string]any{
			"name": "n", "build": map[string]any{"context": ".", "secrets": []any{}},
		}, "build.secrets"},
		"within a secret": {containerKind, container(map[string]any{
			"uploads": resource.MakeSecret(resource.NewProperty([]resource.PropertyValue{
				resource.NewProperty(resource.PropertyMap{
					"file": resource.NewProperty("/f"), "owner": resource.NewProperty("o"),
				}),
			})),
		}), "uploads[0].owner"},
	} {
		t.Run(name, func(t *testing.T) {
			wrong := check(t, trial.kind, trial.inputs)
			if trial.unknown == "" && wrong != "" {
				t.Errorf("refused: %s", wrong)
			}
			if trial.unknown != "" && !strings.Contains(wrong, "unknown input "+trial.unknown+":") {
				t.Errorf("%q does not name %s", wrong, trial.unknown)
			}
		})
	}
}

func TestWrongInputsAreRefused(t *testing.T) {
	for name, trial := range map[string]struct {
		kind   string
		inputs map[string]any
		says   string
	}{
		"missing": {"docker:index/container:Container", map[string]any{"name": "n"}, "image"},
		"not one of the values": {"docker:index/container:Container",
			map[string]any{"name": "n", "image": "i", "restart": "sometimes"}, "restart"},
		"unknown resource": {"docker:index/image:Image", map[string]any{}, "docker:index/image:Image"},
	} {
		t.Run(name, func(t *testing.T) {
			if wrong := check(t, trial.kind, trial.inputs); !strings.Contains(wrong, trial.says) {
				t.Errorf("%q does not name %s", wrong, trial.says)
			}
		})
	}
}

func TestProviderConfiguration(t *testing.T) {
	checkConfig := func(inputs map[string]any) (*pulumirpc.CheckResponse, error) {
		return newProvider(t).CheckConfig(t.Context(), &pulumirpc.CheckRequest{
			Urn:  "urn:pulumi:test::test::pulumi:providers:docker::it",
			News: marshal(t, inputs),
		})
	}
	response, err := checkConfig(map[string]any{
		"host": "ssh://user@host", "sshOpts": `["-i","key"]`,
	})
	if err != nil || len(response.Failures) > 0 {
		t.Errorf("a good configuration: %v %v", err, response.GetFailures())
	}
	response, err = checkConfig(nil)
	if err != nil || len(response.Failures) > 0 {
		t.Errorf("no configuration: %v %v", err, response.GetFailures())
	}
	response, err = checkConfig(map[string]any{"sshOptions": "-v"})
	if err == nil && len(response.Failures) == 0 {
		t.Error("an unknown key passes")
	}
}
