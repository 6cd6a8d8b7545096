package command_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

func TestLocalCommandReturnsItsOutput(t *testing.T) {
	t.Parallel()
	r := newResource(t, localCommand)
	r.must("create", values{"create": "echo out; echo; echo err >&2"})
	r.expect("stdout", "out\n")
	r.expect("stderr", "err")
	if !regexp.MustCompile(`^it[0-9a-f]{8}$`).MatchString(r.id) {
		t.Errorf("the id is %q, not the name and 8 hexadecimal digits", r.id)
	}
	r.expectLog("INFO: out")
	r.expectLog("INFO: err")
}

func TestLocalCommandWithoutCreateDoesNothing(t *testing.T) {
	t.Parallel()
	r := newResource(t, localCommand)
	r.must("create", values{"delete": "true"})
	r.expect("stdout", "")
}

func TestLocalCommandFails(t *testing.T) {
	t.Parallel()
	r := newResource(t, localCommand)
	r.mustFail(values{"create": "echo so far; exit 3"},
		"exit status 3: running \"echo so far; exit 3\":\nso far\n")
	if r.id != "" {
		t.Error("a resource whose command failed exists")
	}
	r.mustFail(values{"create": "true", "dir": "/nowhere"}, "/nowhere")
	r.mustFail(values{"create": "true", "interpreter": []any{"no-such-program"}}, "no-such-program")
}

func TestLocalCommandInputs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := newResource(t, localCommand)
	r.must("create", values{
		"create":      "import os, sys; print(sys.stdin.read(), os.getcwd(), os.environ['NAME'])",
		"interpreter": []any{"python3", "-c"},
		"stdin":       "read",
		"dir":         dir,
		"environment": values{"NAME": "value"},
	})
	r.expect("stdout", "read "+dir+" value")
}

func TestLocalCommandUpdates(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	inputs := values{"create": "echo create >> " + log + "; echo one"}
	r := newResource(t, localCommand)
	r.must("create", inputs)
	id := r.id
	r.must("same", inputs)

	inputs["environment"] = values{"NAME": "value"}
	r.must("update", inputs)
	inputs["delete"] = "echo delete $PULUMI_COMMAND_STDOUT $PULUMI_COMMAND_STDERR >> " + log
	r.must("update", inputs)
	inputs["update"] = "echo update $PULUMI_COMMAND_STDOUT >> " + log + "; echo two; echo err >&2"
	r.must("update", inputs)
	r.expect("stdout", "two")
	inputs["addPreviousOutputInEnv"] = false
	r.must("update", inputs)
	if r.id != id {
		t.Error("an update changed the id")
	}
	inputs["addPreviousOutputInEnv"] = true
	r.must("update", inputs)
	if err := r.destroy(); err != nil {
		t.Fatal(err)
	}
	expectFile(t, log,
		"create\ncreate\ncreate\nupdate one\nupdate\nupdate two\ndelete two err\n")
}

func TestLocalCommandKeepsItsStateWhenAnUpdateFails(t *testing.T) {
	t.Parallel()
	r := newResource(t, localCommand)
	r.must("create", values{"create": "echo one"})
	r.mustFail(values{"create": "echo two; exit 1"}, "exit status 1")
	r.expect("stdout", "one")
	r.must("update", values{"create": "echo three"})
	r.expect("stdout", "three")
}

func TestLocalCommandIsReplacedByTriggers(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	inputs := func(mark string, triggers ...any) values {
		return values{
			"create":   "echo create " + mark + " >> " + log,
			"update":   "echo update " + mark + " >> " + log,
			"delete":   "echo delete " + mark + " >> " + log,
			"triggers": triggers,
		}
	}
	r := newResource(t, localCommand)
	r.must("create", inputs("a", "x", 1))
	id := r.id
	r.must("same", inputs("a", "x", 1))
	r.must("replace", inputs("b", "x", 2))
	r.must("replace", inputs("c", "x", 2, values{"key": true}))
	r.must("replace", inputs("d", "x"))
	if r.id == id {
		t.Error("a replacement kept the id")
	}
	expectFile(t, log, "create a\ncreate b\ndelete a\ncreate c\ndelete b\ncreate d\ndelete c\n")
}

func TestLocalCommandPreviews(t *testing.T) {
	t.Parallel()
	mark := filepath.Join(t.TempDir(), "mark")
	inputs := values{"create": "touch " + mark + "; echo one"}
	r := newResource(t, localCommand)
	if stdout := r.preview(inputs).Get("stdout"); !stdout.IsComputed() {
		t.Errorf("before the creation stdout is %#v, not unknown", stdout)
	}
	expectNoFile(t, mark)
	r.must("create", inputs)
	r.must("same", inputs)
	for name, change := range map[string]values{
		"changed": {"create": "echo two"},
		"added":   {"create": inputs["create"], "update": "echo two"},
		"removed": {},
	} {
		if stdout := r.preview(change).Get("stdout"); !stdout.IsComputed() {
			t.Errorf("before an update with an input %s stdout is %#v, not unknown", name, stdout)
		}
	}
	r.expect("stdout", "one")
}

func TestLocalCommandShowsWhatLoggingSays(t *testing.T) {
	t.Parallel()
	for logging, shown := range map[string][2]bool{
		"stdout":          {true, false},
		"stderr":          {false, true},
		"stdoutAndStderr": {true, true},
		"none":            {false, false},
	} {
		t.Run(logging, func(t *testing.T) {
			r := newResource(t, localCommand)
			r.must("create", values{
				"create":  "printf 'out\\nend'; echo err >&2",
				"logging": logging,
			})
			r.expect("stdout", "out\nend")
			r.expect("stderr", "err")
			for text, expected := range map[string]bool{
				"INFO: out\n": shown[0], "INFO: end\n": shown[0], "INFO: err\n": shown[1],
			} {
				if got := strings.Contains(r.logs.String(), text); got != expected {
					t.Errorf("%s in the log: %v", text, got)
				}
			}
		})
	}
}

func TestLocalCommandShowsLongOutput(t *testing.T) {
	t.Parallel()
	r := newResource(t, localCommand)
	r.must("create", values{"create": "head -c 300000 /dev/zero | tr '\\0' x; echo; echo end"})
	if got := len(r.output("stdout")); got != 300000+len("\nend") {
		t.Errorf("stdout has %d bytes", got)
	}
	r.expectLog("INFO: end")
}

func TestLocalCommandReturnsFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := newResource(t, localCommand)
	r.must("create", values{
		"create":       "mkdir -p a/b; echo x | tee a/1.txt a/b/2.txt a/b/secret.txt > top.txt",
		"dir":          dir,
		"assetPaths":   []any{"**.txt", "!**secret*"},
		"archivePaths": []any{"a/*"},
	})
	assets := r.state.Get("assets").AsMap()
	for _, name := range []string{"top.txt", "a/1.txt", "a/b/2.txt"} {
		asset := assets.Get(name)
		if !asset.IsAsset() || asset.AsAsset().Path != filepath.Join(dir, name) {
			t.Errorf("assets lack %s: %#v", name, asset)
		}
	}
	if assets.Len() != 3 {
		t.Errorf("there are %d assets: %#v", assets.Len(), assets)
	}
	files, ok := r.state.Get("archive").AsArchive().GetAssets()
	if !ok || len(files) != 1 || files["a/1.txt"] == nil {
		t.Errorf("the archive has %v", files)
	}
}

func TestLocalCommandSecrets(t *testing.T) {
	t.Parallel()
	r := newResource(t, localCommand)
	r.must("create", values{"create": "cat", "stdin": property.New("hidden").WithSecret(true)})
	if !r.state.Get("stdin").Secret() {
		t.Error("a secret stdin is no secret in the state")
	}
	if r.state.Get("stdout").Secret() {
		t.Error("stdout is a secret by itself: additionalSecretOutputs decides that")
	}
}

func TestLocalCommandRefusesWrongInputs(t *testing.T) {
	t.Parallel()
	r := newResource(t, localCommand)
	_, failures := r.check(values{"create": values{"a": "map"}, "logging": "loud"})
	if len(failures) == 0 {
		t.Error("wrong inputs pass the check")
	}
}

func TestLocalCommandEndsWithItsChildrenWhenCancelled(t *testing.T) {
	t.Parallel()
	pids := filepath.Join(t.TempDir(), "pids")
	r := newResource(t, localCommand)
	ended := make(chan error, 1)
	started := time.Now()
	go func() {
		_, err := r.up(values{
			"create": "trap 'echo stopping; exit 1' TERM; sleep 300 & echo $! $$ > " + pids + "; wait",
		})
		ended <- err
	}()
	fields := strings.Fields(waitForFile(t, pids))
	if err := r.server.Cancel(); err != nil {
		t.Fatal(err)
	}
	err := <-ended
	if err == nil || !strings.Contains(err.Error(), "context canceled") ||
		!strings.Contains(err.Error(), "stopping") {
		t.Errorf("the cancelled command ended with %v", err)
	}
	if took := time.Since(started); took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, field := range fields {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		waitUntil(t, fmt.Sprintf("process %d is gone", pid), func() bool { return !isRunning(pid) })
	}
}

func TestLocalRun(t *testing.T) {
	t.Parallel()
	response, err := newServer(t).Invoke(p.InvokeRequest{
		Token: "command:local:run",
		Args:  toMap(values{"command": "cat; echo err >&2", "stdin": "in\n"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, expected := range map[string]string{
		"stdout": "in", "stderr": "err", "command": "cat; echo err >&2",
	} {
		if got := response.Return.Get(name); got.AsString() != expected {
			t.Errorf("%s is %#v", name, got)
		}
	}
	_, err = newServer(t).Invoke(p.InvokeRequest{
		Token: "command:local:run",
		Args:  toMap(values{"command": "exit 4"}),
	})
	if err == nil || !strings.Contains(err.Error(), "exit status 4") {
		t.Errorf("a failing command ended with %v", err)
	}
}

// isRunning says whether a process exists and is no zombie.
func isRunning(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(status), ") Z ")
}

func expectFile(t *testing.T, path, expected string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(content) != expected {
		t.Errorf("%s has %q, not %q", path, content, expected)
	}
}

func expectNoFile(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err == nil {
		t.Errorf("%s exists", path)
	}
}

// waitForFile returns a file's first line once it is complete.
func waitForFile(t *testing.T, path string) string {
	t.Helper()
	var content []byte
	waitUntil(t, path+" is written", func() bool {
		content, _ = os.ReadFile(path)
		return strings.Contains(string(content), "\n")
	})
	return string(content)
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in 20 s: %s", what)
		}
	}
}
