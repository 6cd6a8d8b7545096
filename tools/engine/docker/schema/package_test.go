package schema_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	pulumi "github.com/pulumi/pulumi/pkg/v3/codegen/schema"

	"ipyparallel-cluster/tools/engine/docker/schema"
)

// npmPackage is the official package, from the folder of this test.
const npmPackage = "../../../../node_modules/@pulumi/docker"

// compared are the resources whose inputs are compared with the official package.
var compared = []string{"Container", "Network", "RemoteImage", "Volume", "Provider"}

// TestInputsAreTheOfficialOnes compares the schema with testdata/inputs.txt, the inputs that the
// official package has too, as `Interface.input type`. One that must be given has a !.
func TestInputsAreTheOfficialOnes(t *testing.T) {
	ours := schemaInputs(t)
	file, err := os.Open("testdata/inputs.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	count := 0
	for lines.Scan() {
		input, official, _ := strings.Cut(lines.Text(), " ")
		if got := ours[input]; got != official {
			t.Errorf("%s is %q here, %q in the official package", input, got, official)
		}
		count++
	}
	if count < 100 {
		t.Errorf("only %d inputs are listed", count)
	}
}

// TestInputsAreInThePackage compares the schema with the types of the installed package: what both
// have must be in testdata/inputs.txt, and the differences in testdata/differences.txt.
func TestInputsAreInThePackage(t *testing.T) {
	official := packageInputs(t)
	ours := schemaInputs(t)
	var shared, differences []string
	for input, kind := range ours {
		switch officialKind, ok := official[input]; {
		case !ok:
			differences = append(differences, "only here: "+input)
		case kind != officialKind:
			differences = append(differences, fmt.Sprintf("%s: %s here, %s there", input, kind, officialKind))
		default:
			shared = append(shared, input+" "+kind)
		}
	}
	for input := range official {
		if _, ok := ours[input]; !ok {
			differences = append(differences, "only there: "+input)
		}
	}
	for name, lines := range map[string][]string{"inputs": shared, "differences": differences} {
		name = filepath.Join("testdata", name+".txt")
		slices.Sort(lines)
		got := strings.Join(lines, "\n") + "\n"
		if *update {
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		known, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(known) {
			t.Errorf("%s should be\n%s", name, got)
		}
	}
}

// schemaInputs lists the inputs in the schema.
func schemaInputs(t *testing.T) map[string]string {
	t.Helper()
	var spec pulumi.PackageSpec
	if err := json.Unmarshal(schema.JSON, &spec); err != nil {
		t.Fatal(err)
	}
	inputs := map[string]string{}
	var add func(name string, properties map[string]pulumi.PropertySpec, required []string)
	var kind func(spec pulumi.TypeSpec) string
	kind = func(of pulumi.TypeSpec) string {
		switch {
		case of.Ref != "":
			token := strings.TrimPrefix(of.Ref, "#/types/")
			name := path.Base(strings.ReplaceAll(token, ":", "/"))
			add(name, spec.Types[token].Properties, spec.Types[token].Required)
			return name
		case of.Type == "array":
			return kind(*of.Items) + "[]"
		case of.Type == "object":
			return "{" + kind(*of.AdditionalProperties) + "}"
		case of.Type == "integer":
			return "number"
		default:
			return of.Type
		}
	}
	add = func(name string, properties map[string]pulumi.PropertySpec, required []string) {
		for property, of := range properties {
			mark := ""
			if slices.Contains(required, property) {
				mark = "!"
			}
			inputs[name+"."+property] = kind(of.TypeSpec) + mark
		}
	}
	for _, name := range compared {
		resource := spec.Resources[fmt.Sprintf("docker:index/%s:%s", lowerFirst(name), name)]
		if name == "Provider" {
			resource = *spec.Provider
		}
		add(name, resource.InputProperties, resource.RequiredInputs)
	}
	return inputs
}

// packageInputs lists the inputs in the types of the installed package.
func packageInputs(t *testing.T) map[string]string {
	t.Helper()
	inputs := map[string]string{}
	nested := map[string]map[string]string{}
	parse := func(file string, add func(of string, property, kind string)) {
		text, err := os.ReadFile(filepath.Join(npmPackage, file))
		if errors.Is(err, fs.ErrNotExist) {
			t.Skip("node_modules is not installed")
		}
		if err != nil {
			t.Fatal(err)
		}
		parseInterfaces(string(text), add)
	}
	parse("types/input.d.ts", func(of, property, kind string) {
		if nested[of] == nil {
			nested[of] = map[string]string{}
		}
		nested[of][property] = kind
	})
	var addNested func(kind string)
	addNested = func(kind string) {
		name := strings.TrimSuffix(strings.TrimSuffix(kind, "!"), "[]")
		for property, kind := range nested[name] {
			inputs[name+"."+property] = kind
			addNested(kind)
		}
	}
	for _, name := range compared {
		parse(lowerFirst(name)+".d.ts", func(of, property, kind string) {
			if of == name+"Args" {
				inputs[name+"."+property] = kind
				addNested(kind)
			}
		})
	}
	return inputs
}

var (
	comment       = regexp.MustCompile(`(?s)/\*\*.*?\*/`)
	interfaceHead = regexp.MustCompile(`interface (\w+) \{`)
	dictionary    = regexp.MustCompile(`\{\s*\[key: string\]: ([^;]*);\s*\}`)
	property      = regexp.MustCompile(`(?m)^\s*(\w+)(\??): (.*);$`)
	wrapper       = regexp.MustCompile(`pulumi\.Input<|inputs\.|>| \| undefined`)
)

// parseInterfaces calls add with the properties of each interface in a TypeScript declaration.
func parseInterfaces(text string, add func(of, property, kind string)) {
	text = dictionary.ReplaceAllString(comment.ReplaceAllString(text, ""), "{$1}")
	heads := interfaceHead.FindAllStringSubmatchIndex(text, -1)
	for _, head := range heads {
		body, _, _ := strings.Cut(text[head[1]:], "\n}")
		if end := interfaceHead.FindStringIndex(body); end != nil {
			body = body[:end[0]]
		}
		for _, match := range property.FindAllStringSubmatch(body, -1) {
			kind := wrapper.ReplaceAllString(match[3], "")
			if match[2] == "" {
				kind += "!"
			}
			add(text[head[2]:head[3]], match[1], kind)
		}
	}
}

// lowerFirst makes the first letter small.
func lowerFirst(name string) string {
	return strings.ToLower(name[:1]) + name[1:]
}
