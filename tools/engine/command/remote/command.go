package remote

import (
	"context"
	"fmt"
	"strings"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"golang.org/x/crypto/ssh"

	"ipyparallel-cluster/tools/engine/command/internal/output"
)

// gracePeriod is how long a cancelled command may take to end before its connection is closed.
const gracePeriod = 2 * time.Second

// Logging says which of a command's streams are shown while it runs.
type Logging string

// Values lists what Logging can be.
func (Logging) Values() []infer.EnumValue[Logging] {
	return output.LoggingValues[Logging]()
}

// Command is the resource that runs a command on another machine when it is created, updated and
// deleted.
type Command struct{}

var (
	_ infer.CustomUpdate[CommandInputs, CommandOutputs] = (*Command)(nil)
	_ infer.CustomDelete[CommandOutputs]                = (*Command)(nil)
)

// Annotate describes the resource in the schema.
func (c *Command) Annotate(a infer.Annotator) {
	a.Describe(&c, "A command that runs on another machine, over SSH.")
}

// CommandInputs are the inputs of a Command.
type CommandInputs struct {
	Connection             *Connection       `pulumi:"connection" provider:"secret"`
	Environment            map[string]string `pulumi:"environment,optional"`
	Stdin                  *string           `pulumi:"stdin,optional"`
	Logging                *Logging          `pulumi:"logging,optional"`
	AddPreviousOutputInEnv *bool             `pulumi:"addPreviousOutputInEnv,optional"`
	Create                 *string           `pulumi:"create,optional"`
	Update                 *string           `pulumi:"update,optional"`
	Delete                 *string           `pulumi:"delete,optional"`
	Triggers               []any             `pulumi:"triggers,optional" provider:"replaceOnChanges"`
}

// Annotate describes the inputs in the schema.
func (in *CommandInputs) Annotate(a infer.Annotator) {
	a.Describe(&in.Connection, "How to reach the machine.")
	a.Describe(&in.Environment, "Environment variables of the command. The SSH server must allow "+
		"them (`AcceptEnv`), or the command fails.")
	a.Describe(&in.Stdin, "What the command reads from its standard input.")
	a.Describe(&in.Logging, "The streams shown while the command runs. Defaults to both.")
	a.Describe(&in.AddPreviousOutputInEnv, "Whether the last run's output is in the environment, as "+
		"`PULUMI_COMMAND_STDOUT` and `PULUMI_COMMAND_STDERR`, if the SSH server allows these. "+
		"Defaults to true.")
	a.Describe(&in.Create, "The command to run when the resource is created.")
	a.Describe(&in.Update, "The command to run when any input changes. Defaults to `create`.")
	a.Describe(&in.Delete, "The command to run when the resource is deleted.")
	a.Describe(&in.Triggers, "Values of any kind. A change in them replaces the resource.")
}

// BaseOutputs is what a command printed.
type BaseOutputs struct {
	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

// Annotate describes the outputs in the schema.
func (out *BaseOutputs) Annotate(a infer.Annotator) {
	a.Describe(&out.Stdout, "The command's standard output, without the last newline.")
	a.Describe(&out.Stderr, "The command's standard error, without the last newline.")
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
	result.Output.BaseOutputs, err = run(ctx, *req.Inputs.Create, req.Inputs, BaseOutputs{})
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
	result.Output.BaseOutputs, err = run(ctx, *command, req.Inputs, req.State.BaseOutputs)
	return result, err
}

// Delete runs `delete` over the connection, both as the state has them.
func (*Command) Delete(
	ctx context.Context, req infer.DeleteRequest[CommandOutputs],
) (infer.DeleteResponse, error) {
	if req.State.Delete == nil {
		return infer.DeleteResponse{}, nil
	}
	_, err := run(ctx, *req.State.Delete, req.State.CommandInputs, req.State.BaseOutputs)
	return infer.DeleteResponse{}, err
}

// run runs command. previous is what the last run of the same resource printed.
func run(ctx context.Context, command string, in CommandInputs, previous BaseOutputs) (BaseOutputs, error) {
	client, err := in.Connection.dial(ctx)
	if err != nil {
		return BaseOutputs{}, err
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return BaseOutputs{}, err
	}
	defer session.Close()

	if err := setEnvironment(ctx, session, in, previous); err != nil {
		return BaseOutputs{}, err
	}
	if in.Stdin != nil {
		session.Stdin = strings.NewReader(*in.Stdin)
	}
	logging := ""
	if in.Logging != nil {
		logging = string(*in.Logging)
	}
	out := output.New(ctx, logging)
	session.Stdout, session.Stderr = out.Stdout, out.Stderr

	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = session.Signal(ssh.SIGTERM)
		select {
		case <-ended:
		case <-time.After(gracePeriod):
			_ = client.Close()
		}
	})
	err = session.Run(command)
	close(ended)
	if !stop() {
		err = ctx.Err()
	}
	out.Close()
	if err != nil {
		return BaseOutputs{}, out.Error(err, command)
	}
	return BaseOutputs{Stdout: out.Stdout.Text(), Stderr: out.Stderr.Text()}, nil
}

// setEnvironment asks the SSH server for the command's environment variables. Those of the input
// are needed, those with the previous output are not.
func setEnvironment(
	ctx context.Context, session *ssh.Session, in CommandInputs, previous BaseOutputs,
) error {
	const hint = "%s was not set: the SSH server takes only the variables that its AcceptEnv names. " +
		"A shell takes them in the command itself, as NAME=value before it"
	logger := p.GetLogger(ctx)
	for name, value := range in.Environment {
		if err := session.Setenv(name, value); err != nil {
			logger.Errorf(hint, name)
			return fmt.Errorf("could not set environment variable %q: %w", name, err)
		}
	}
	if !orDefault(in.AddPreviousOutputInEnv, true) {
		return nil
	}
	for name, value := range map[string]string{
		output.StdoutVariable: previous.Stdout,
		output.StderrVariable: previous.Stderr,
	} {
		if value == "" {
			continue
		}
		if err := session.Setenv(name, value); err != nil {
			logger.Warningf(hint, name)
		}
	}
	return nil
}
