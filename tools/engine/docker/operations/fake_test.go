package operations

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/docker/docker/client"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/shim"
)

// request is a request that the fake Docker got, without the version in its path.
type request struct {
	method, path string
	query        map[string][]string
	body         []byte
}

// answer is what the fake Docker answers.
type answer struct {
	status int
	body   any // a string goes out as it is
}

// fakeDocker is a Docker API that answers each kind of request ("POST /networks/create") with the
// next of its answers, the last one again and again.
type fakeDocker struct {
	answers  map[string][]answer
	requests []request
	meta     any
}

func newFakeDocker(t *testing.T, answers map[string][]answer) *fakeDocker {
	t.Helper()
	fake := &fakeDocker{answers: answers}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/_ping" {
			return // it comes once for each client
		}
		body, _ := io.ReadAll(r.Body)
		path := r.URL.Path
		if version, rest, found := strings.Cut(path[1:], "/"); found && version[0] == 'v' {
			path = "/" + rest
		}
		fake.requests = append(fake.requests, request{r.Method, path, r.URL.Query(), body})
		left := fake.answers[r.Method+" "+path]
		if len(left) == 0 {
			http.Error(w, `{"message":"not found"}`, http.StatusNotFound)
			return
		}
		if len(left) > 1 {
			fake.answers[r.Method+" "+path] = left[1:]
		}
		w.WriteHeader(left[0].status)
		if text, ok := left[0].body.(string); ok {
			_, _ = io.WriteString(w, text)
		} else if left[0].body != nil {
			_ = json.NewEncoder(w).Encode(left[0].body)
		}
	}))
	t.Cleanup(server.Close)
	docker, err := client.NewClientWithOpts(
		client.WithHost("tcp://"+server.Listener.Addr().String()),
		client.WithVersion("1.41"),
	)
	if err != nil {
		t.Fatal(err)
	}
	fake.meta = shim.Meta(docker)
	return fake
}

// count counts the requests of a kind.
func (f *fakeDocker) count(kind string) int {
	count := 0
	for _, request := range f.requests {
		if request.method+" "+request.path == kind {
			count++
		}
	}
	return count
}

func TestMain(m *testing.M) {
	// The Terraform provider logs a lot, and sorts it out only where Terraform runs it.
	log.SetOutput(io.Discard)
	os.Exit(m.Run())
}

// newData returns a resource type of the provider, and data of it.
func newData(t *testing.T, name string, values map[string]any) (*schema.Resource, *schema.ResourceData) {
	t.Helper()
	resource := NewProvider("test").ResourcesMap[name]
	return resource, schema.TestResourceDataRaw(t, resource.Schema, values)
}
