package local

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gobwas/glob"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"ipyparallel-cluster/tools/engine/command/internal/output"
)

// gracePeriod is how long a cancelled command may take to end before it is killed.
const gracePeriod = 5 * time.Second

// run runs command. previous is what the last run of the same resource returned.
func run(ctx context.Context, command string, in BaseInputs, previous BaseOutputs) (BaseOutputs, error) {
	args := []string{"/bin/sh", "-c"}
	if len(in.Interpreter) > 0 {
		args = append([]string{}, in.Interpreter...)
	}
	args = append(args, command)

	cmd := exec.Command(args[0], args[1:]...)
	dir, err := workingDir(in)
	if err != nil {
		return BaseOutputs{}, err
	}
	cmd.Dir = dir
	cmd.Env = environment(in, previous)
	if in.Stdin != nil {
		cmd.Stdin = strings.NewReader(*in.Stdin)
	}
	logging := ""
	if in.Logging != nil {
		logging = string(*in.Logging)
	}
	out := output.New(ctx, logging)
	cmd.Stdout, cmd.Stderr = out.Stdout, out.Stderr
	// A process group of its own, so that a cancelled command ends with all its children.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}

	err = ctx.Err()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		group := -cmd.Process.Pid
		ended := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			_ = syscall.Kill(group, syscall.SIGTERM)
			select {
			case <-ended:
			case <-time.After(gracePeriod):
				_ = syscall.Kill(group, syscall.SIGKILL)
			}
		})
		err = cmd.Wait()
		close(ended)
		if !stop() {
			err = ctx.Err()
		}
	}
	out.Close()
	if err != nil {
		return BaseOutputs{}, out.Error(err, command)
	}

	result := BaseOutputs{Stdout: out.Stdout.Text(), Stderr: out.Stderr.Text()}
	if in.AssetPaths != nil {
		if result.Assets, err = findAssets(dir, in.AssetPaths); err != nil {
			return BaseOutputs{}, err
		}
	}
	if in.ArchivePaths != nil {
		assets, err := findAssets(dir, in.ArchivePaths)
		if err != nil {
			return BaseOutputs{}, err
		}
		files := make(map[string]any, len(assets))
		for path, file := range assets {
			files[path] = file.Asset
		}
		if result.Archive, err = resource.NewAssetArchive(files); err != nil {
			return BaseOutputs{}, err
		}
	}
	return result, nil
}

// workingDir is the folder to run a command in.
func workingDir(in BaseInputs) (string, error) {
	if in.Dir == nil {
		return os.Getwd()
	}
	info, err := os.Stat(*in.Dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a folder", *in.Dir)
	}
	if err != nil {
		return "", fmt.Errorf("dir: %w", err)
	}
	return *in.Dir, nil
}

// environment is the environment of a command.
func environment(in BaseInputs, previous BaseOutputs) []string {
	env := os.Environ()
	for name, value := range in.Environment {
		env = append(env, name+"="+value)
	}
	if in.AddPreviousOutputInEnv == nil || *in.AddPreviousOutputInEnv {
		if previous.Stdout != "" {
			env = append(env, output.StdoutVariable+"="+previous.Stdout)
		}
		if previous.Stderr != "" {
			env = append(env, output.StderrVariable+"="+previous.Stderr)
		}
	}
	return env
}

// findAssets returns the files under dir that patterns select, by their path under dir. A later
// pattern wins over an earlier one; a pattern that begins with ! takes files out.
func findAssets(dir string, patterns []string) (map[string]types.AssetOrArchive, error) {
	type rule struct {
		glob.Glob
		exclude bool
	}
	var rules []rule
	for _, pattern := range patterns {
		text, exclude := strings.CutPrefix(pattern, "!")
		compiled, err := glob.Compile(text, '/')
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule{compiled, exclude})
	}
	assets := map[string]types.AssetOrArchive{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		selected := false
		for _, rule := range rules {
			if rule.Match(path) {
				selected = !rule.exclude
			}
		}
		if selected {
			var asset *resource.Asset
			asset, err = resource.NewPathAsset(filepath.Join(dir, path))
			assets[path] = types.AssetOrArchive{Asset: asset}
		}
		return err
	})
	return assets, err
}
