package docker_test

import (
	"strings"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// nobody is a Docker endpoint at which nothing answers.
const nobody = "unix:///nowhere/docker.sock"

func TestDaemonIsAskedUnlessToldNotTo(t *testing.T) {
	configure := func(more map[string]any) error {
		inputs := map[string]any{
			"host": nobody,
			"registryAuth": []any{
				map[string]any{"address": "localhost:5000", "username": "u", "password": "p"},
			},
		}
		for name, value := range more {
			inputs[name] = value
		}
		_, err := newProvider(t).Configure(t.Context(), &pulumirpc.ConfigureRequest{
			Args: marshal(t, inputs),
		})
		return err
	}
	if err := configure(nil); err == nil || !strings.Contains(err.Error(), "Cannot connect") {
		t.Errorf("with the check: %v", err)
	}
	if err := configure(map[string]any{"disableDockerDaemonCheck": true}); err != nil {
		t.Errorf("without the check: %v", err)
	}
}

func TestContextIsRefusedUnlessItIsEmpty(t *testing.T) {
	configure := func(more map[string]any) error {
		inputs := map[string]any{"host": nobody, "disableDockerDaemonCheck": true}
		for name, value := range more {
			inputs[name] = value
		}
		_, err := newProvider(t).Configure(t.Context(), &pulumirpc.ConfigureRequest{
			Args: marshal(t, inputs),
		})
		return err
	}
	t.Setenv("DOCKER_CONTEXT", "elsewhere")
	if err := configure(map[string]any{"context": ""}); err != nil {
		t.Errorf("an empty one: %v", err)
	}
	for name, given := range map[string]map[string]any{
		"of the environment": nil, "given": {"context": "elsewhere"},
	} {
		if err := configure(given); err == nil || !strings.Contains(err.Error(), `got "elsewhere"`) {
			t.Errorf("one that is %s: %v", name, err)
		}
	}
}
