package operations

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/docker/docker/client"
	"github.com/terraform-providers/terraform-provider-docker/shim"
)

func TestVersionOfTheAPIIsOneThatTheDaemonAccepts(t *testing.T) {
	for name, trial := range map[string]struct{ newest, oldest, used string }{
		"Docker 29":    {"1.52", "1.44", "1.44"},
		"a later one":  {"1.60", "1.44", "1.44"},
		"Docker 28":    {"1.51", "1.24", "1.41"},
		"Docker 20.10": {"1.41", "1.12", "1.41"},
		"Docker 19.03": {"1.40", "1.12", "1.40"},
	} {
		t.Run(name, func(t *testing.T) {
			pings := 0
			used := map[string]bool{}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("API-Version", trial.newest)
				if r.URL.Path == "/_ping" {
					pings++
					return
				}
				version, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v"), "/")
				used[version] = true
				if version < trial.oldest {
					message := fmt.Sprintf(`{"message":"client version %s is too old. Minimum supported API `+
						`version is %s, please upgrade your client to a newer version"}`, version, trial.oldest)
					http.Error(w, message, http.StatusBadRequest)
					return
				}
				http.Error(w, `{"message":"network n not found"}`, http.StatusNotFound)
			}))
			t.Cleanup(server.Close)
			docker, err := client.NewClientWithOpts(
				client.WithHost("tcp://"+server.Listener.Addr().String()), client.WithAPIVersionNegotiation())
			if err != nil {
				t.Fatal(err)
			}
			resource, data := newData(t, "docker_network", map[string]any{"name": "n"})
			for range 2 {
				data.SetId("n")
				if found := resource.ReadContext(t.Context(), data, shim.Meta(docker)); found.HasError() {
					t.Errorf("%+v", found)
				}
			}
			if len(used) != 1 || !used[trial.used] || pings != 1 {
				t.Errorf("versions %v were used after %d pings", used, pings)
			}
		})
	}
}
