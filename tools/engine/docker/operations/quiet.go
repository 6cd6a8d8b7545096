package operations

import (
	"context"
	"io"
	"log"
	"os"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
)

// LogLevel is the environment variable that sets what the Terraform provider logs: "off" for nothing.
const LogLevel = "TF_LOG"

// operation is what a Terraform provider does to a resource.
type operation = func(context.Context, *schema.ResourceData, any) diag.Diagnostics

// quiet keeps the operation's own log from Pulumi's engine where LogLevel is "off". Otherwise each
// line of it is a message to the engine, whether anybody looks or not, and a container has some 600.
func quiet(run operation) operation {
	return func(ctx context.Context, data *schema.ResourceData, meta any) diag.Diagnostics {
		if os.Getenv(LogLevel) == "off" {
			log.SetOutput(io.Discard) // the bridge sets it anew for each request
		}
		return run(ctx, data, meta)
	}
}
