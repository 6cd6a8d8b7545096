package local

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// Run is the function that runs a command each time the program runs, in previews too.
type Run struct{}

// Annotate describes the function in the schema.
func (r *Run) Annotate(a infer.Annotator) {
	a.Describe(&r, "Runs a command on the machine that Pulumi runs on, at every run of the program.")
}

// RunInputs are the arguments of Run.
type RunInputs struct {
	BaseInputs
	Command string `pulumi:"command"`
}

// Annotate describes the arguments in the schema.
func (in *RunInputs) Annotate(a infer.Annotator) {
	a.Describe(&in.Command, "The command to run.")
}

// RunOutputs is what Run returns.
type RunOutputs struct {
	RunInputs
	BaseOutputs
}

// Invoke runs the command.
func (*Run) Invoke(
	ctx context.Context, req infer.FunctionRequest[RunInputs],
) (infer.FunctionResponse[RunOutputs], error) {
	out, err := run(ctx, req.Input.Command, req.Input.BaseInputs, BaseOutputs{})
	return infer.FunctionResponse[RunOutputs]{
		Output: RunOutputs{RunInputs: req.Input, BaseOutputs: out},
	}, err
}
