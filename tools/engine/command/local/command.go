package local

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Command is the resource that runs a command when it is created, updated and deleted.
type Command struct{}

var (
	_ infer.CustomUpdate[CommandInputs, CommandOutputs] = (*Command)(nil)
	_ infer.CustomDelete[CommandOutputs]                = (*Command)(nil)
)

// Annotate describes the resource in the schema.
func (c *Command) Annotate(a infer.Annotator) {
	a.Describe(&c, "A command that runs on the machine that Pulumi runs on.")
}

// CommandInputs are the inputs of a Command.
type CommandInputs struct {
	BaseInputs
	Create   *string `pulumi:"create,optional"`
	Update   *string `pulumi:"update,optional"`
	Delete   *string `pulumi:"delete,optional"`
	Triggers []any   `pulumi:"triggers,optional" provider:"replaceOnChanges"`
}

// Annotate describes the inputs in the schema.
func (in *CommandInputs) Annotate(a infer.Annotator) {
	a.Describe(&in.Create, "The command to run when the resource is created.")
	a.Describe(&in.Update, "The command to run when any input changes. Defaults to `create`.")
	a.Describe(&in.Delete, "The command to run when the resource is deleted.")
	a.Describe(&in.Triggers, "Values of any kind. A change in them replaces the resource.")
}

// CommandOutputs are the outputs of a Command.
type CommandOutputs struct {
	CommandInputs
	BaseOutputs
}

// Create runs `create`.
func (*Command) Create(
	ctx context.Context, req infer.CreateRequest[CommandInputs],
) (infer.CreateResponse[CommandOutputs], error) {
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	result := infer.CreateResponse[CommandOutputs]{
		ID:     id,
		Output: CommandOutputs{CommandInputs: req.Inputs},
	}
	if err != nil || req.DryRun || req.Inputs.Create == nil {
		return result, err
	}
	result.Output.BaseOutputs, err = run(ctx, *req.Inputs.Create, req.Inputs.BaseInputs, BaseOutputs{})
	return result, err
}

// Update runs `update`, or `create` where there is no `update`.
func (*Command) Update(
	ctx context.Context, req infer.UpdateRequest[CommandInputs, CommandOutputs],
) (infer.UpdateResponse[CommandOutputs], error) {
	result := infer.UpdateResponse[CommandOutputs]{Output: CommandOutputs{
		CommandInputs: req.Inputs,
		BaseOutputs:   req.State.BaseOutputs,
	}}
	command := req.Inputs.Update
	if command == nil {
		command = req.Inputs.Create
	}
	if req.DryRun || command == nil {
		return result, nil
	}
	var err error
	result.Output.BaseOutputs, err = run(ctx, *command, req.Inputs.BaseInputs, req.State.BaseOutputs)
	return result, err
}

// Delete runs `delete` as the state has it.
func (*Command) Delete(
	ctx context.Context, req infer.DeleteRequest[CommandOutputs],
) (infer.DeleteResponse, error) {
	if req.State.Delete == nil {
		return infer.DeleteResponse{}, nil
	}
	_, err := run(ctx, *req.State.Delete, req.State.BaseInputs, req.State.BaseOutputs)
	return infer.DeleteResponse{}, err
}
