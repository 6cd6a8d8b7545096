package command_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/blang/semver"
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/integration"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"ipyparallel-cluster/tools/engine/command"
)

const (
	localCommand  = "command:local:Command"
	remoteCommand = "command:remote:Command"
	copyToRemote  = "command:remote:CopyToRemote"
)

// values are inputs in short.
type values = map[string]any

// testResource is a resource with its state, which goes through the provider's operations in the
// order in which Pulumi's engine calls them.
type testResource struct {
	t      *testing.T
	server integration.Server
	urn    resource.URN
	logs   *logBuffer

	id    string // "" while it does not exist
	state property.Map
}

// logBuffer is what the provider logs for a resource.
type logBuffer struct {
	sync.Mutex
	bytes.Buffer
}

func (b *logBuffer) String() string {
	b.Lock()
	defer b.Unlock()
	return b.Buffer.String()
}

// logRouter is a log that goes to the buffers of the resources it is about.
type logRouter struct {
	slog.Handler
	buffers sync.Map // of *logBuffer, by URN
}

func (l *logRouter) Handle(_ context.Context, record slog.Record) error {
	record.Attrs(func(attribute slog.Attr) bool {
		if buffer, ok := l.buffers.Load(attribute.Value.String()); ok {
			buffer := buffer.(*logBuffer)
			buffer.Lock()
			defer buffer.Unlock()
			fmt.Fprintf(buffer, "%s: %s\n", record.Level, record.Message)
		}
		return true
	})
	return nil
}

func (l *logRouter) WithAttrs([]slog.Attr) slog.Handler { return l }

var logs = &logRouter{Handler: slog.Default().Handler()}

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(logs))
	os.Exit(m.Run())
}

var resources atomic.Int64

// newResource makes a resource that does not exist yet.
func newResource(t *testing.T, token string) *testResource {
	t.Helper()
	stack := tokens.QName(fmt.Sprintf("test%d", resources.Add(1)))
	r := &testResource{
		t:      t,
		server: newServer(t),
		urn:    resource.NewURN(stack, "test", "", tokens.Type(token), "it"),
		logs:   &logBuffer{},
	}
	logs.buffers.Store(string(r.urn), r.logs)
	return r
}

func newServer(t *testing.T) integration.Server {
	t.Helper()
	server, err := integration.NewServer(
		context.Background(), command.Name, semver.MustParse(command.Version),
		integration.WithProvider(command.Provider()),
	)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// check returns the checked inputs.
func (r *testResource) check(inputs values) (property.Map, []p.CheckFailure) {
	r.t.Helper()
	response, err := r.server.Check(p.CheckRequest{Urn: r.urn, Inputs: toMap(inputs)})
	if err != nil {
		r.t.Fatal(err)
	}
	return r.transfer(response.Inputs), response.Failures
}

// transfer sends properties through the form in which the provider and Pulumi's engine exchange
// them.
func (r *testResource) transfer(properties property.Map) property.Map {
	r.t.Helper()
	options := plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true}
	sent, err := plugin.MarshalProperties(
		resource.ToResourcePropertyValue(property.New(properties)).ObjectValue(), options)
	if err != nil {
		r.t.Fatal(err)
	}
	received, err := plugin.UnmarshalProperties(sent, options)
	if err != nil {
		r.t.Fatal(err)
	}
	return resource.FromResourcePropertyValue(resource.NewProperty(received)).AsMap()
}

// up gives the resource inputs, and tells what that took: "create", "update", "replace" or "same".
func (r *testResource) up(inputs values) (string, error) {
	r.t.Helper()
	checked, failures := r.check(inputs)
	if len(failures) > 0 {
		return "", fmt.Errorf("check: %v", failures)
	}
	if r.id == "" {
		return "create", r.create(checked)
	}
	diff, err := r.server.Diff(p.DiffRequest{ID: r.id, Urn: r.urn, State: r.state, Inputs: checked})
	if err != nil {
		r.t.Fatal(err)
	}
	if !diff.HasChanges {
		return "same", nil
	}
	for _, change := range diff.DetailedDiff {
		switch change.Kind {
		case p.AddReplace, p.UpdateReplace, p.DeleteReplace:
			old := *r
			if err := r.create(checked); err != nil {
				return "replace", err
			}
			return "replace", old.destroy()
		}
	}
	updated, err := r.server.Update(
		p.UpdateRequest{ID: r.id, Urn: r.urn, State: r.state, Inputs: checked})
	if err == nil {
		r.state = r.transfer(updated.Properties)
	}
	return "update", err
}

func (r *testResource) create(checked property.Map) error {
	created, err := r.server.Create(p.CreateRequest{Urn: r.urn, Properties: checked})
	if err == nil {
		r.id, r.state = created.ID, r.transfer(created.Properties)
	}
	return err
}

// preview returns the outputs that a preview with inputs shows.
func (r *testResource) preview(inputs values) property.Map {
	r.t.Helper()
	checked, failures := r.check(inputs)
	if len(failures) > 0 {
		r.t.Fatalf("check: %v", failures)
	}
	if r.id == "" {
		created, err := r.server.Create(p.CreateRequest{Urn: r.urn, Properties: checked, DryRun: true})
		if err != nil {
			r.t.Fatal(err)
		}
		return created.Properties
	}
	updated, err := r.server.Update(p.UpdateRequest{
		ID: r.id, Urn: r.urn, State: r.state, Inputs: checked, DryRun: true,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return updated.Properties
}

// destroy deletes the resource.
func (r *testResource) destroy() error {
	return r.server.Delete(p.DeleteRequest{ID: r.id, Urn: r.urn, Properties: r.state})
}

// must fails the test unless an operation is the expected one and succeeds.
func (r *testResource) must(expected string, inputs values) {
	r.t.Helper()
	operation, err := r.up(inputs)
	if err != nil {
		r.t.Fatalf("%s: %v", operation, err)
	}
	if operation != expected {
		r.t.Fatalf("the inputs took a %s, not a %s", operation, expected)
	}
}

// mustFail fails the test unless an operation ends with an error that has all texts.
func (r *testResource) mustFail(inputs values, texts ...string) {
	r.t.Helper()
	operation, err := r.up(inputs)
	if err == nil {
		r.t.Fatalf("%s succeeded", operation)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			r.t.Errorf("the error does not say %q: %v", text, err)
		}
	}
}

// output returns a text in the state.
func (r *testResource) output(name string) string {
	r.t.Helper()
	value := r.state.Get(name)
	if !value.IsString() {
		r.t.Fatalf("%s is no text but %#v", name, value)
	}
	return value.AsString()
}

// expect compares an output.
func (r *testResource) expect(name, expected string) {
	r.t.Helper()
	if got := r.output(name); got != expected {
		r.t.Errorf("%s is %q, not %q", name, got, expected)
	}
}

// expectLog fails the test unless the provider logged text.
func (r *testResource) expectLog(text string) {
	r.t.Helper()
	if logs := r.logs.String(); !strings.Contains(logs, text) {
		r.t.Errorf("the log lacks %q:\n%s", text, logs)
	}
}

// expectNoLog fails the test if the provider logged text.
func (r *testResource) expectNoLog(text string) {
	r.t.Helper()
	if logs := r.logs.String(); strings.Contains(logs, text) {
		r.t.Errorf("the log has %q:\n%s", text, logs)
	}
}

func toMap(inputs values) property.Map {
	result := map[string]property.Value{}
	for name, value := range inputs {
		result[name] = toValue(value)
	}
	return property.NewMap(result)
}

func toValue(value any) property.Value {
	switch value := value.(type) {
	case property.Value:
		return value
	case *resource.Asset:
		return property.New(value)
	case *resource.Archive:
		return property.New(value)
	case string:
		return property.New(value)
	case int:
		return property.New(float64(value))
	case bool:
		return property.New(value)
	case []any:
		var elements []property.Value
		for _, element := range value {
			elements = append(elements, toValue(element))
		}
		return property.New(elements)
	case values:
		return property.New(toMap(value))
	}
	panic(fmt.Sprintf("no property value for %T", value))
}
