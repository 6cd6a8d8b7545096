package schema_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"testing"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfgen"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
	"github.com/spf13/afero"

	"ipyparallel-cluster/tools/engine/docker"
	"ipyparallel-cluster/tools/engine/docker/schema"
)

var update = flag.Bool("update", false, "write schema.json anew")

func TestSchemaIsTheProviders(t *testing.T) {
	generated := generate(t)
	if *update {
		if err := os.WriteFile("schema.json", generated, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(generated, schema.JSON) {
		t.Error("schema.json is not what the provider has: run `go test ./schema -update`")
	}
}

// generate makes the schema from the provider.
func generate(t *testing.T) []byte {
	t.Helper()
	generator, err := tfgen.NewGenerator(tfgen.GeneratorOptions{
		Package:      docker.Name,
		Version:      docker.Version,
		Language:     tfgen.Schema,
		ProviderInfo: docker.Provider(),
		Root:         afero.NewMemMapFs(),
		Sink:         diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: colors.Never}),
		SkipDocs:     true,
		SkipExamples: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	result, err := generator.Generate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(result.PackageSpec)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(encoded, &tree); err != nil {
		t.Fatal(err)
	}
	tree.(map[string]any)["language"] = nil
	encoded, err = json.MarshalIndent(prune(tree), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(encoded, '\n')
}

// prune takes out what only documentation needs.
func prune(tree any) any {
	switch node := tree.(type) {
	case map[string]any:
		for key, child := range node {
			text, isText := child.(string)
			if child == nil || key == "deprecationMessage" || (key == "description" && isText && text != "") {
				delete(node, key)
				continue
			}
			node[key] = prune(child)
		}
	case []any:
		for i, child := range node {
			node[i] = prune(child)
		}
	}
	return tree
}
