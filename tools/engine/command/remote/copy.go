package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pkg/sftp"
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// CopyToRemote is the resource that copies a file or a folder to another machine.
type CopyToRemote struct{}

var (
	_ infer.CustomCheck[CopyToRemoteInputs]                       = (*CopyToRemote)(nil)
	_ infer.CustomUpdate[CopyToRemoteInputs, CopyToRemoteOutputs] = (*CopyToRemote)(nil)
)

// Annotate describes the resource in the schema.
func (c *CopyToRemote) Annotate(a infer.Annotator) {
	a.Describe(&c, "A file or a folder that is copied to another machine, over SFTP. Deleting the "+
		"resource leaves the copy.")
}

// CopyToRemoteInputs are the inputs of a CopyToRemote.
type CopyToRemoteInputs struct {
	Connection *Connection          `pulumi:"connection" provider:"secret"`
	Source     types.AssetOrArchive `pulumi:"source"`
	RemotePath string               `pulumi:"remotePath"`
	Triggers   []any                `pulumi:"triggers,optional" provider:"replaceOnChanges"`
}

// Annotate describes the inputs in the schema.
func (in *CopyToRemoteInputs) Annotate(a infer.Annotator) {
	a.Describe(&in.Connection, "How to reach the machine.")
	a.Describe(&in.Source, "A file, a text or a folder: a FileAsset, a StringAsset or a FileArchive. "+
		"Archive files are copied as they are.")
	a.Describe(&in.RemotePath, "Where the copy goes. Missing parent folders are made. In a folder that "+
		"exists, a file or folder keeps its own name. A source folder whose path ends in `/` has "+
		"its content copied there.")
	a.Describe(&in.Triggers, "Values of any kind. A change in them replaces the resource: it copies anew.")
}

// hash identifies the content to copy.
func (in *CopyToRemoteInputs) hash() string {
	if in.Source.Asset != nil {
		return in.Source.Asset.Hash
	}
	return in.Source.Archive.Hash
}

// CopyToRemoteOutputs are the outputs of a CopyToRemote.
type CopyToRemoteOutputs struct {
	CopyToRemoteInputs
}

// Check refuses sources that can't be copied.
func (*CopyToRemote) Check(
	ctx context.Context, req infer.CheckRequest,
) (infer.CheckResponse[CopyToRemoteInputs], error) {
	in, failures, err := infer.DefaultCheck[CopyToRemoteInputs](ctx, req.NewInputs)
	if err == nil && len(failures) == 0 && !req.NewInputs.Get("source").HasComputed() {
		asset, archive := in.Source.Asset, in.Source.Archive
		switch {
		case asset != nil && (asset.IsPath() || asset.IsText()):
		case archive != nil && archive.IsPath():
		default:
			failures = append(failures, p.CheckFailure{
				Property: "source",
				Reason:   "must be a FileAsset, a StringAsset or a FileArchive",
			})
		}
	}
	return infer.CheckResponse[CopyToRemoteInputs]{Inputs: in, Failures: failures}, err
}

// Create copies the source.
func (*CopyToRemote) Create(
	ctx context.Context, req infer.CreateRequest[CopyToRemoteInputs],
) (infer.CreateResponse[CopyToRemoteOutputs], error) {
	result := infer.CreateResponse[CopyToRemoteOutputs]{Output: CopyToRemoteOutputs{req.Inputs}}
	if req.DryRun {
		return result, nil
	}
	err := copyToRemote(ctx, req.Inputs)
	if err == nil {
		result.ID, err = resource.NewUniqueHex("", 8, 0)
	}
	return result, err
}

// Update copies the source when its content or remotePath has changed.
func (*CopyToRemote) Update(
	ctx context.Context, req infer.UpdateRequest[CopyToRemoteInputs, CopyToRemoteOutputs],
) (infer.UpdateResponse[CopyToRemoteOutputs], error) {
	result := infer.UpdateResponse[CopyToRemoteOutputs]{Output: CopyToRemoteOutputs{req.Inputs}}
	if req.DryRun {
		return result, nil
	}
	var err error
	if req.Inputs.hash() != req.State.hash() || req.Inputs.RemotePath != req.State.RemotePath {
		err = copyToRemote(ctx, req.Inputs)
	}
	return result, err
}

// copyToRemote copies in.Source.
func copyToRemote(ctx context.Context, in CopyToRemoteInputs) error {
	ssh, err := in.Connection.dial(ctx)
	if err != nil {
		return err
	}
	defer ssh.Close()
	stop := context.AfterFunc(ctx, func() { _ = ssh.Close() })
	defer stop()
	client, err := sftp.NewClient(ssh.Client)
	if err != nil {
		return fmt.Errorf("SFTP: %w", err)
	}
	defer client.Close()

	remote := remoteFiles{client}
	switch asset, archive := in.Source.Asset, in.Source.Archive; {
	case asset != nil && asset.IsText():
		err = remote.text(asset.Text, in.RemotePath)
	case asset != nil:
		err = remote.path(asset.Path, in.RemotePath)
	default:
		err = remote.path(archive.Path, in.RemotePath)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// remoteFiles is another machine's file system.
type remoteFiles struct {
	*sftp.Client
}

// isFolder says whether name is a folder; a name that does not exist is none.
func (r remoteFiles) isFolder(name string) (bool, error) {
	info, err := r.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("remote path %s: %w", name, err)
	}
	return info.IsDir(), nil
}

// text writes a file with the given content.
func (r remoteFiles) text(content, name string) error {
	folder, err := r.isFolder(name)
	if err != nil {
		return err
	}
	if folder {
		return fmt.Errorf("remote path %s is a folder: a StringAsset has no name of its own, so "+
			"remotePath must be the path of a file", name)
	}
	return r.write(strings.NewReader(content), name)
}

// path copies the local file or folder source.
func (r remoteFiles) path(source, name string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if info.IsDir() {
		if !strings.HasSuffix(source, "/") {
			name = path.Join(name, filepath.Base(source))
		}
		return r.tree(source, name)
	}
	folder, err := r.isFolder(name)
	if err != nil {
		return err
	}
	if folder {
		name = path.Join(name, filepath.Base(source))
	}
	return r.file(source, name)
}

// tree copies the content of the local folder source into the folder name.
func (r remoteFiles) tree(source, name string) error {
	return fs.WalkDir(os.DirFS(source), ".", func(inner string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := path.Join(name, inner)
		if !entry.IsDir() {
			return r.file(filepath.Join(source, inner), target)
		}
		if err := r.MkdirAll(target); err != nil {
			return fmt.Errorf("remote folder %s: %w", target, err)
		}
		return nil
	})
}

// file copies the local file source.
func (r remoteFiles) file(source, name string) error {
	local, err := os.Open(source)
	if err != nil {
		return err
	}
	defer local.Close()
	return r.write(local, name)
}

// write writes a file, making the folders it is in.
func (r remoteFiles) write(content io.Reader, name string) error {
	if err := r.MkdirAll(path.Dir(name)); err != nil {
		return fmt.Errorf("remote folder %s: %w", path.Dir(name), err)
	}
	file, err := r.Create(name)
	if err != nil {
		return fmt.Errorf("remote file %s: %w", name, err)
	}
	if _, err := file.ReadFrom(content); err != nil {
		_ = file.Close()
		return fmt.Errorf("remote file %s: %w", name, err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("remote file %s: %w", name, err)
	}
	return nil
}
