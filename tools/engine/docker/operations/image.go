package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/cli/cli/command/image/build"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/archive"
	"github.com/docker/docker/pkg/idtools"
	"github.com/docker/docker/pkg/jsonmessage"
	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/mitchellh/go-homedir"
	"github.com/moby/buildkit/session"
	"github.com/terraform-providers/terraform-provider-docker/shim"
)

// buildKitVersion is the first version of Docker's API that builds with BuildKit.
const buildKitVersion = "1.39"

// imageBuilder builds images in place of the Terraform provider, which keeps what a build prints to
// itself.
type imageBuilder struct {
	progress     func(ctx context.Context, line string)
	create, read operation
}

// addBuildInputs adds inputs of later releases of the Terraform provider to the `build` block.
func addBuildInputs(image *schema.Resource) {
	block := image.Schema["build"].Elem.(*schema.Resource).Schema
	text := &schema.Schema{Type: schema.TypeString}
	block["labels"] = &schema.Schema{Type: schema.TypeMap, Optional: true, Elem: text}
	block["extra_hosts"] = &schema.Schema{Type: schema.TypeList, Optional: true, Elem: text}
	block["network_mode"] = &schema.Schema{Type: schema.TypeString, Optional: true}
	block["platform"] = &schema.Schema{Type: schema.TypeString, Optional: true}
	block["pull_parent"] = &schema.Schema{Type: schema.TypeBool, Optional: true}
}

// createImage builds the image, or has the Terraform provider pull it.
func (b imageBuilder) createImage(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	builds := d.Get("build").(*schema.Set).List()
	if len(builds) == 0 {
		return b.create(ctx, d, meta)
	}
	name, docker := d.Get("name").(string), shim.Client(meta)
	log := &buildLog{progress: func(line string) { b.progress(ctx, line) }}
	if err := buildImage(ctx, docker, name, builds[0].(map[string]any), log); err != nil {
		return diag.Errorf("Unable to build image %s: %s", name, log.explain(err))
	}
	image, _, err := docker.ImageInspectWithRaw(ctx, name)
	if err != nil {
		return diag.Errorf("Unable to inspect image %s: %s", name, err)
	}
	d.SetId(image.ID + name)
	return b.read(ctx, d, meta)
}

// buildImage builds the image name as the `build` block in says.
func buildImage(
	ctx context.Context, docker *client.Client, name string, in map[string]any, log *buildLog,
) error {
	tree, dockerfile, err := buildContext(in["path"].(string), in["dockerfile"].(string))
	if err != nil {
		return err
	}
	defer tree.Close()
	options := types.ImageBuildOptions{
		Dockerfile:  dockerfile,
		Tags:        []string{name},
		ForceRemove: in["force_remove"].(bool),
		Remove:      in["remove"].(bool),
		NoCache:     in["no_cache"].(bool),
		Target:      in["target"].(string),
		Labels:      stringMap(in["label"]),
		NetworkMode: in["network_mode"].(string),
		Platform:    in["platform"].(string),
		PullParent:  in["pull_parent"].(bool),
		BuildArgs:   map[string]*string{},
		Version:     types.BuilderV1,
	}
	for name, value := range stringMap(in["labels"]) {
		options.Labels[name] = value
	}
	for _, tag := range in["tag"].([]any) {
		options.Tags = append(options.Tags, tag.(string))
	}
	for _, host := range in["extra_hosts"].([]any) {
		options.ExtraHosts = append(options.ExtraHosts, host.(string))
	}
	for name, value := range stringMap(in["build_arg"]) {
		options.BuildArgs[name] = &value
	}

	if versions.GreaterThanOrEqualTo(docker.ClientVersion(), buildKitVersion) {
		options.Version = types.BuilderBuildKit
		kit, err := session.NewSession(ctx, "pulumi-resource-docker", "")
		if err != nil {
			return err
		}
		options.SessionID = kit.ID()
		ended := make(chan struct{})
		sessionContext, endSession := context.WithCancel(ctx)
		go func() {
			defer close(ended)
			_ = kit.Run(sessionContext, func(
				ctx context.Context, proto string, meta map[string][]string,
			) (net.Conn, error) {
				return docker.DialHijack(ctx, "/session", proto, meta)
			})
		}()
		defer func() {
			endSession()
			<-ended
		}()
	}

	response, err := docker.ImageBuild(ctx, tree, options)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return log.read(response.Body)
}

// buildContext packs the folder that is the build's context, and names the Dockerfile in it. The
// Dockerfile's path is relative to the context; it may lie outside.
func buildContext(folder, dockerfile string) (tree io.ReadCloser, name string, err error) {
	if folder, err = homedir.Expand(folder); err != nil {
		return nil, "", err
	}
	if folder, err = build.ResolveAndValidateContextPath(folder); err != nil {
		return nil, "", err
	}
	if !filepath.IsAbs(dockerfile) {
		dockerfile = filepath.Join(folder, dockerfile)
	}
	if info, err := os.Stat(dockerfile); err != nil || info.IsDir() {
		return nil, "", fmt.Errorf("there is no Dockerfile at %s", dockerfile)
	}
	if name, err = filepath.Rel(folder, dockerfile); err != nil {
		return nil, "", err
	}
	name = filepath.ToSlash(name)
	outside := strings.HasPrefix(name, "../")

	excludes, err := build.ReadDockerignore(folder)
	if err != nil {
		return nil, "", err
	}
	if !outside {
		excludes = build.TrimBuildFilesFromExcludes(excludes, name, false)
	}
	tree, err = archive.TarWithOptions(folder, &archive.TarOptions{
		ExcludePatterns: excludes,
		ChownOpts:       &idtools.Identity{UID: 0, GID: 0},
	})
	if err != nil || !outside {
		return tree, name, err
	}
	file, err := os.Open(dockerfile)
	if err != nil {
		return nil, "", errors.Join(err, tree.Close())
	}
	return build.AddDockerfileToBuildContext(file, tree)
}

// read follows the messages of a build to its end, and returns the error that it ended with.
func (l *buildLog) read(messages io.Reader) error {
	decoder := json.NewDecoder(messages)
	for {
		var message jsonmessage.JSONMessage
		if err := decoder.Decode(&message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading what the build tells: %w", err)
		}
		switch {
		case message.Error != nil:
			return message.Error
		case message.ID == buildKitTrace && message.Aux != nil:
			if err := l.addTrace(*message.Aux); err != nil {
				return err
			}
		case message.Stream != "":
			l.add("", []byte(message.Stream))
		}
	}
}
