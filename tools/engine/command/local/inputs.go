// Package local runs commands on the machine that Pulumi runs on.
package local

import (
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"ipyparallel-cluster/tools/engine/command/internal/output"
)

// Logging says which of a command's streams are shown while it runs.
type Logging string

// Values lists what Logging can be.
func (Logging) Values() []infer.EnumValue[Logging] {
	return output.LoggingValues[Logging]()
}

// BaseInputs are the inputs that the resource and the function share.
type BaseInputs struct {
	Interpreter            []string          `pulumi:"interpreter,optional"`
	Dir                    *string           `pulumi:"dir,optional"`
	Environment            map[string]string `pulumi:"environment,optional"`
	Stdin                  *string           `pulumi:"stdin,optional"`
	Logging                *Logging          `pulumi:"logging,optional"`
	AddPreviousOutputInEnv *bool             `pulumi:"addPreviousOutputInEnv,optional"`
	AssetPaths             []string          `pulumi:"assetPaths,optional"`
	ArchivePaths           []string          `pulumi:"archivePaths,optional"`
}

// Annotate describes the inputs in the schema.
func (in *BaseInputs) Annotate(a infer.Annotator) {
	a.Describe(&in.Interpreter, "The program that runs the command, with its arguments. The command "+
		"is its last argument. Defaults to `/bin/sh -c`.")
	a.Describe(&in.Dir, "The folder to run in. Defaults to the program's folder.")
	a.Describe(&in.Environment, "Environment variables to add to those of the Pulumi run.")
	a.Describe(&in.Stdin, "What the command reads from its standard input.")
	a.Describe(&in.Logging, "The streams shown while the command runs. Defaults to both.")
	a.Describe(&in.AddPreviousOutputInEnv, "Whether the last run's output is in the environment, as "+
		"`PULUMI_COMMAND_STDOUT` and `PULUMI_COMMAND_STDERR`. Defaults to true.")
	a.Describe(&in.AssetPaths, "Patterns of the files to return as assets once the command has run. "+
		"`*` stops at `/`, `**` does not, and a pattern after `!` takes files out again.")
	a.Describe(&in.ArchivePaths, "Patterns of the files to return as one archive, like assetPaths.")
}

// BaseOutputs are the outputs that the resource and the function share.
type BaseOutputs struct {
	Stdout  string                          `pulumi:"stdout"`
	Stderr  string                          `pulumi:"stderr"`
	Assets  map[string]types.AssetOrArchive `pulumi:"assets,optional"`
	Archive *resource.Archive               `pulumi:"archive,optional"`
}

// Annotate describes the outputs in the schema.
func (out *BaseOutputs) Annotate(a infer.Annotator) {
	a.Describe(&out.Stdout, "The command's standard output, without the last newline.")
	a.Describe(&out.Stderr, "The command's standard error, without the last newline.")
	a.Describe(&out.Assets, "The files that assetPaths names, by their path under dir.")
	a.Describe(&out.Archive, "The files that archivePaths names, by their path under dir.")
}
