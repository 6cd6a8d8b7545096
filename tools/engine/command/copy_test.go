package command_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// writeFile makes a file in a folder, and returns its path.
func writeFile(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func fileAsset(t *testing.T, path string) *resource.Asset {
	t.Helper()
	asset, err := resource.NewPathAsset(path)
	if err != nil {
		t.Fatal(err)
	}
	return asset
}

func textAsset(t *testing.T, text string) *resource.Asset {
	t.Helper()
	asset, err := resource.NewTextAsset(text)
	if err != nil {
		t.Fatal(err)
	}
	return asset
}

func fileArchive(t *testing.T, path string) *resource.Archive {
	t.Helper()
	archive, err := resource.NewPathArchive(path)
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

func TestCopyToRemoteCopiesAFile(t *testing.T) {
	t.Parallel()
	server, from, to := startSSHD(t), t.TempDir(), t.TempDir()
	source := writeFile(t, from, "source.txt", "one")
	inputs := values{
		"connection": server.connection(),
		"source":     fileAsset(t, source),
		"remotePath": filepath.Join(to, "new", "copy.txt"),
	}
	r := newResource(t, copyToRemote)
	r.preview(inputs)
	expectNoFile(t, filepath.Join(to, "new"))
	r.must("create", inputs)
	expectFile(t, filepath.Join(to, "new", "copy.txt"), "one")
	if !regexp.MustCompile(`^[0-9a-f]{8}$`).MatchString(r.id) {
		t.Errorf("the id is %q, not 8 hexadecimal digits", r.id)
	}
	r.must("same", inputs)

	// Only a change of the content or of the path copies.
	writeFile(t, from, "source.txt", "two")
	inputs["source"] = fileAsset(t, source)
	r.must("update", inputs)
	expectFile(t, filepath.Join(to, "new", "copy.txt"), "two")
	writeFile(t, to, "new/copy.txt", "changed there")
	inputs["connection"] = server.connection(values{"dialErrorLimit": 3})
	r.must("update", inputs)
	expectFile(t, filepath.Join(to, "new", "copy.txt"), "changed there")
	inputs["remotePath"] = to
	r.must("update", inputs)
	expectFile(t, filepath.Join(to, "source.txt"), "two")

	inputs["triggers"] = []any{1}
	writeFile(t, to, "source.txt", "changed there")
	r.must("replace", inputs)
	expectFile(t, filepath.Join(to, "source.txt"), "two")
	if err := r.destroy(); err != nil {
		t.Fatal(err)
	}
	expectFile(t, filepath.Join(to, "source.txt"), "two")
	if !r.state.Get("connection").Secret() {
		t.Error("connection is no secret in the state")
	}
}

func TestCopyToRemoteCopiesAText(t *testing.T) {
	t.Parallel()
	server, to := startSSHD(t), t.TempDir()
	r := newResource(t, copyToRemote)
	inputs := values{
		"connection": server.connection(),
		"source":     textAsset(t, "text"),
		"remotePath": filepath.Join(to, "file"),
	}
	r.must("create", inputs)
	expectFile(t, filepath.Join(to, "file"), "text")
	inputs["remotePath"] = to
	r.mustFail(inputs, to+" is a folder")
}

func TestCopyToRemoteCopiesAFolder(t *testing.T) {
	t.Parallel()
	server, from := startSSHD(t), t.TempDir()
	writeFile(t, from, "tree/1.txt", "one")
	writeFile(t, from, "tree/sub/2.txt", "two")
	tree := filepath.Join(from, "tree")
	for name, trial := range map[string]struct{ source, result string }{
		"with its name":    {tree, "tree/sub/2.txt"},
		"without its name": {tree + "/", "sub/2.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "to")
			inputs := values{
				"connection": server.connection(),
				"source":     fileArchive(t, trial.source),
				"remotePath": to,
			}
			newResource(t, copyToRemote).must("create", inputs)
			expectFile(t, filepath.Join(to, trial.result), "two")
			newResource(t, copyToRemote).must("create", inputs)
			expectFile(t, filepath.Join(to, trial.result), "two")
		})
	}
	to := t.TempDir()
	writeFile(t, to, "file", "")
	newResource(t, copyToRemote).mustFail(values{
		"connection": server.connection(),
		"source":     fileArchive(t, tree),
		"remotePath": filepath.Join(to, "file"),
	}, filepath.Join(to, "file"))
}

func TestCopyToRemoteRefusesOtherSources(t *testing.T) {
	t.Parallel()
	r := newResource(t, copyToRemote)
	archive, err := resource.NewAssetArchive(map[string]any{"name": textAsset(t, "text")})
	if err != nil {
		t.Fatal(err)
	}
	for name, source := range map[string]any{"an archive of assets": archive, "a text": "text"} {
		_, failures := r.check(values{
			"connection": values{"host": "h"}, "source": source, "remotePath": "/x",
		})
		if len(failures) == 0 {
			t.Errorf("%s passes the check", name)
		}
	}
}

func TestCopyToRemoteFailsWhereItMayNotWrite(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	newResource(t, copyToRemote).mustFail(values{
		"connection": server.connection(),
		"source":     textAsset(t, "text"),
		"remotePath": "/proc/no/file",
	}, "/proc/no")
}
