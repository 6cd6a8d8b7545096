// Package command is a Pulumi provider that runs commands, here and on other machines, with the
// resources of the npm package @pulumi/command.
package command

import (
	"context"
	"strings"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"ipyparallel-cluster/tools/engine/command/local"
	"ipyparallel-cluster/tools/engine/command/remote"
)

const (
	// Name is the name of the Pulumi package.
	Name = "command"
	// Version is the release of @pulumi/command that the provider stands in for.
	Version = "1.2.1"
)

// Provider makes the provider.
func Provider() p.Provider {
	provider := infer.Provider(infer.Options{
		Resources: []infer.InferredResource{
			infer.Resource(&local.Command{}),
			infer.Resource(&remote.Command{}),
			infer.Resource(&remote.CopyToRemote{}),
		},
		Functions: []infer.InferredFunction{infer.Function(&local.Run{})},
	})
	provider.Diff = replaceOnTriggers(provider.Diff)
	provider.Update = hideOldOutput(provider.Update)
	return provider
}

// hideOldOutput makes the output of a command unknown in the preview of an update. By itself it is
// so only where an input changes that was there before, not where one is added.
func hideOldOutput(
	update func(context.Context, p.UpdateRequest) (p.UpdateResponse, error),
) func(context.Context, p.UpdateRequest) (p.UpdateResponse, error) {
	return func(ctx context.Context, req p.UpdateRequest) (p.UpdateResponse, error) {
		response, err := update(ctx, req)
		if err != nil || !req.DryRun {
			return response, err
		}
		for _, name := range []string{"stdout", "stderr", "assets", "archive"} {
			if old, ok := response.Properties.GetOk(name); ok {
				unknown := property.New(property.Computed).WithSecret(old.Secret())
				response.Properties = response.Properties.Set(name, unknown)
			}
		}
		return response, nil
	}
}

// replaceOnTriggers makes a change within `triggers` a replacement: by itself diff does so only
// where the whole list appears or disappears.
func replaceOnTriggers(
	diff func(context.Context, p.DiffRequest) (p.DiffResponse, error),
) func(context.Context, p.DiffRequest) (p.DiffResponse, error) {
	replacing := map[p.DiffKind]p.DiffKind{
		p.Add:    p.AddReplace,
		p.Delete: p.DeleteReplace,
		p.Update: p.UpdateReplace,
	}
	return func(ctx context.Context, req p.DiffRequest) (p.DiffResponse, error) {
		response, err := diff(ctx, req)
		for property, change := range response.DetailedDiff {
			if kind, ok := replacing[change.Kind]; ok && strings.HasPrefix(property, "triggers[") {
				change.Kind = kind
				response.DetailedDiff[property] = change
			}
		}
		return response, err
	}
}
