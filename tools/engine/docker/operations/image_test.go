package operations

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types"
	control "github.com/moby/buildkit/api/services/control"
	"github.com/opencontainers/go-digest"
)

// message is a message of a build, as Docker sends it.
func message(t *testing.T, fields map[string]any) string {
	t.Helper()
	encoded, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded) + "\n"
}

// trace is a message that passes on what BuildKit tells.
func trace(t *testing.T, status control.StatusResponse) string {
	t.Helper()
	encoded, err := status.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return message(t, map[string]any{"id": buildKitTrace, "aux": encoded})
}

// step tells that a step has started, or that it failed with an error.
func step(t *testing.T, name, failure string) string {
	now := time.Now()
	return trace(t, control.StatusResponse{Vertexes: []*control.Vertex{
		{Digest: digest.FromString(name), Name: name, Started: &now, Error: failure},
	}})
}

// prints tells what a step printed.
func prints(t *testing.T, name, output string) string {
	return trace(t, control.StatusResponse{Logs: []*control.VertexLog{
		{Vertex: digest.FromString(name), Msg: []byte(output)},
	}})
}

func TestBuildLogExplainsTheStepThatFailed(t *testing.T) {
	var progress []string
	log := &buildLog{progress: func(line string) { progress = append(progress, line) }}
	var output strings.Builder
	for i := 1; i <= 60; i++ {
		fmt.Fprintf(&output, "line %d\n", i)
	}
	err := log.read(strings.NewReader(
		step(t, "[1/2] FROM base", "") + step(t, "[2/2] RUN make", "") +
			prints(t, "[1/2] FROM base", "not this\n") +
			prints(t, "[2/2] RUN make", output.String()[:100]) +
			prints(t, "[2/2] RUN make", output.String()[100:]+"10%\r 100%\r\nno newline") +
			step(t, "[2/2] RUN make", "exit code: 2") +
			message(t, map[string]any{
				"errorDetail": map[string]any{"message": "executor failed: exit code: 2"},
				"error":       "executor failed: exit code: 2",
			})))
	if err == nil {
		t.Fatal("the build succeeded")
	}
	lines := strings.Split(log.explain(err), "\n")
	expected := []string{
		"executor failed: exit code: 2",
		"The step that failed: [2/2] RUN make",
		"It printed 62 lines, the last of them:",
		"  line 23",
	}
	if !slices.Equal(lines[:4], expected) {
		t.Errorf("it begins with %q", lines[:4])
	}
	if got := lines[len(lines)-3:]; !slices.Equal(got, []string{"  line 60", "   100%", "  no newline"}) {
		t.Errorf("it ends with %q", got)
	}
	if len(lines) != 3+shownLines {
		t.Errorf("it has %d lines", len(lines))
	}
	for _, line := range []string{"[1/2] FROM base", "[2/2] RUN make", "line 1", "line 60", " 100%"} {
		if count := strings.Count("\n"+strings.Join(progress, "\n")+"\n", "\n"+line+"\n"); count != 1 {
			t.Errorf("%q was shown %d times while it went on", line, count)
		}
	}
}

func TestBuildLogOfOtherFailures(t *testing.T) {
	silent := func() *buildLog { return &buildLog{progress: func(string) {}} }

	log := silent()
	failure := log.read(strings.NewReader(step(t, "[1/1] RUN false", "exit code: 1") +
		message(t, map[string]any{"errorDetail": map[string]any{"message": "failed"}})))
	if got := log.explain(failure); got != "failed\nThe step that failed: [1/1] RUN false\nIt printed nothing." {
		t.Errorf("without output: %q", got)
	}

	log = silent()
	failure = log.read(strings.NewReader(
		message(t, map[string]any{"errorDetail": map[string]any{"message": "parse error"}})))
	if got := log.explain(failure); got != "parse error" {
		t.Errorf("without steps: %q", got)
	}

	log = silent()
	failure = log.read(strings.NewReader(message(t, map[string]any{"stream": "Step 1/1 : RUN false\n"}) +
		message(t, map[string]any{"stream": "oops\n"}) +
		message(t, map[string]any{"errorDetail": map[string]any{"message": "non-zero code: 1"}})))
	if got := log.explain(failure); got != "non-zero code: 1\nIt printed:\n  Step 1/1 : RUN false\n  oops" {
		t.Errorf("the classic builder: %q", got)
	}

	if err := silent().read(strings.NewReader("nonsense")); err == nil {
		t.Error("an answer that is no JSON passes")
	}
	if err := silent().read(strings.NewReader(message(t, map[string]any{"stream": "fine"}))); err != nil {
		t.Errorf("a build that succeeds: %v", err)
	}
}

// writeTree makes a folder with files.
func writeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// readTar returns the files in a tar archive.
func readTar(t *testing.T, archive io.Reader) map[string]string {
	t.Helper()
	files := map[string]string{}
	reader := tar.NewReader(archive)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Gid != 0 {
			t.Errorf("%s is of %d:%d", header.Name, header.Uid, header.Gid)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeReg {
			files[header.Name] = string(content)
		}
	}
}

func TestBuildContext(t *testing.T) {
	root := writeTree(t, map[string]string{
		"Dockerfile":            "FROM outside",
		"context/Dockerfile":    "FROM inside",
		"context/sub/other":     "FROM other",
		"context/data":          "data",
		"context/secret":        "secret",
		"context/.dockerignore": "secret\nDockerfile\n",
	})
	t.Chdir(root)
	for name, dockerfile := range map[string]struct{ given, expected, content string }{
		"in the context, not the current folder": {"Dockerfile", "Dockerfile", "FROM inside"},
		"with another name":                      {"sub/other", "sub/other", "FROM other"},
		"absolute":                               {filepath.Join(root, "context", "sub", "other"), "sub/other", "FROM other"},
		"outside":                                {"../Dockerfile", "", "FROM outside"},
	} {
		t.Run(name, func(t *testing.T) {
			tree, inTree, err := buildContext("context", dockerfile.given)
			if err != nil {
				t.Fatal(err)
			}
			defer tree.Close()
			files := readTar(t, tree)
			if dockerfile.expected != "" && inTree != dockerfile.expected {
				t.Errorf("the Dockerfile is %s in the context", inTree)
			}
			if files[inTree] != dockerfile.content {
				t.Errorf("the Dockerfile has %q", files[inTree])
			}
			if files["data"] != "data" || files["secret"] != "" {
				t.Errorf("the context has %v", files)
			}
		})
	}
	for _, given := range [][2]string{{"context", "none"}, {"context", "sub"}, {"none", "Dockerfile"}} {
		if _, _, err := buildContext(given[0], given[1]); err == nil {
			t.Errorf("%s in %s passes", given[1], given[0])
		}
	}
}

func TestImageIsBuilt(t *testing.T) {
	root := writeTree(t, map[string]string{"Dockerfile": "FROM base"})
	image := types.ImageInspect{ID: "sha256:0123456789abcdef"}
	fake := newFakeDocker(t, map[string][]answer{
		"POST /build":             {{http.StatusOK, message(t, map[string]any{"stream": "done\n"})}},
		"GET /images/name:1/json": {{http.StatusOK, image}},
		"GET /images/json":        {{http.StatusOK, []types.ImageSummary{{ID: image.ID}}}},
	})
	resource, data := newData(t, "docker_image", map[string]any{
		"name": "name:1",
		"build": []any{map[string]any{
			"path":         root,
			"tag":          []any{"name:2"},
			"build_arg":    map[string]any{"ARG": "value"},
			"label":        map[string]any{"a": "1"},
			"labels":       map[string]any{"b": "2"},
			"target":       "stage",
			"no_cache":     true,
			"network_mode": "host",
			"extra_hosts":  []any{"name:10.0.0.1"},
			"platform":     "linux/amd64",
			"pull_parent":  true,
		}},
	})
	if diags := resource.CreateContext(t.Context(), data, fake.meta); diags.HasError() {
		t.Fatal(diags)
	}
	if data.Id() != image.ID+"name:1" || data.Get("image_id") != image.ID {
		t.Errorf("the state is %v", data.State())
	}
	sent := fake.requests[0]
	for name, expected := range map[string]string{
		"t": "name:1 name:2", "dockerfile": "Dockerfile", "target": "stage", "nocache": "1", "rm": "1",
		"networkmode": "host", "extrahosts": "name:10.0.0.1", "platform": "linux/amd64", "pull": "1",
		"buildargs": `{"ARG":"value"}`, "labels": `{"a":"1","b":"2"}`,
	} {
		if got := strings.Join(sent.query[name], " "); got != expected {
			t.Errorf("%s is %q, not %q", name, got, expected)
		}
	}
	if files := readTar(t, bytes.NewReader(sent.body)); files["Dockerfile"] != "FROM base" {
		t.Errorf("the context is %v", files)
	}
}

func TestImageThatCannotBeBuilt(t *testing.T) {
	root := writeTree(t, map[string]string{"Dockerfile": "FROM base"})
	fake := newFakeDocker(t, map[string][]answer{"POST /build": {{http.StatusOK,
		step(t, "[1/1] RUN make", "exit code: 2") + prints(t, "[1/1] RUN make", "no rule\n") +
			message(t, map[string]any{"errorDetail": map[string]any{"message": "exit code: 2"}})}}})
	resource, data := newData(t, "docker_image", map[string]any{
		"name": "name:1", "build": []any{map[string]any{"path": root}},
	})
	var shown []string
	resource = NewProvider("test", func(_ context.Context, line string) { shown = append(shown, line) }).
		ResourcesMap["docker_image"]
	diags := resource.CreateContext(t.Context(), data, fake.meta)
	expected := "Unable to build image name:1: exit code: 2\nThe step that failed: [1/1] RUN make\n" +
		"It printed:\n  no rule"
	if !diags.HasError() || diags[0].Summary != expected {
		t.Errorf("it ended with %v", diags)
	}
	if data.Id() != "" {
		t.Error("the image exists")
	}
	if !slices.Equal(shown, []string{"[1/1] RUN make", "no rule"}) {
		t.Errorf("%q was shown while it went on", shown)
	}
}
