// Package schema holds the provider's schema: its resources and functions with their inputs and
// outputs. Its test makes it anew from the provider with `go test ./schema -update`.
package schema

import _ "embed"

// JSON is the schema, without descriptions.
//
//go:embed schema.json
var JSON []byte
