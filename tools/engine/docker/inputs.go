package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	pulumi "github.com/pulumi/pulumi/pkg/v3/codegen/schema"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"ipyparallel-cluster/tools/engine/docker/schema"
)

// refuseUnknownInputs makes every resource fail its check when it is given an input that the schema
// does not have, with the input's whole path in the message.
func refuseUnknownInputs(info *tfbridge.ProviderInfo) {
	var spec pulumi.PackageSpec
	if err := json.Unmarshal(schema.JSON, &spec); err != nil {
		panic(err)
	}
	for _, resourceInfo := range info.Resources {
		properties := spec.Resources[resourceInfo.Tok.String()].InputProperties
		resourceInfo.PreCheckCallback = func(
			_ context.Context, inputs, _ resource.PropertyMap,
		) (resource.PropertyMap, error) {
			unknown := unknownInputs(spec, "", inputs, properties)
			if len(unknown) == 0 {
				return inputs, nil
			}
			return nil, fmt.Errorf("unknown input %s: this plugin, built from an older release of the "+
				"Terraform provider, has no such input; either leave it out, or install the official plugin "+
				"with `pulumi plugin install resource %s v%s`", strings.Join(unknown, ", "), Name, Version)
		}
	}
}

// unknownInputs lists the paths of the values in inputs that are not among properties.
func unknownInputs(
	spec pulumi.PackageSpec,
	prefix string,
	inputs resource.PropertyMap,
	properties map[string]pulumi.PropertySpec,
) []string {
	var unknown []string
	for _, name := range inputs.StableKeys() {
		path := prefix + string(name)
		property, known := properties[string(name)]
		switch {
		case known:
			unknown = append(unknown, unknownIn(spec, path, inputs[name], property.TypeSpec)...)
		case !strings.HasPrefix(string(name), "__"):
			unknown = append(unknown, path)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// unknownIn lists the unknown inputs within a value of the given type.
func unknownIn(
	spec pulumi.PackageSpec, path string, value resource.PropertyValue, of pulumi.TypeSpec,
) []string {
	for value.IsSecret() || value.IsOutput() {
		if value.IsSecret() {
			value = value.SecretValue().Element
		} else {
			value = value.OutputValue().Element
		}
	}
	switch {
	case of.Ref != "" && value.IsObject():
		token := strings.TrimPrefix(of.Ref, "#/types/")
		return unknownInputs(spec, path+".", value.ObjectValue(), spec.Types[token].Properties)
	case of.Items != nil && value.IsArray():
		var unknown []string
		for i, element := range value.ArrayValue() {
			unknown = append(unknown, unknownIn(spec, fmt.Sprintf("%s[%d]", path, i), element, *of.Items)...)
		}
		return unknown
	}
	return nil
}
