package operations

import (
	"bytes"
	"context"
	"log"
	"os"
	"testing"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
)

func TestOperationsLogOnlyWhenAsked(t *testing.T) {
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	says := func(context.Context, *schema.ResourceData, any) diag.Diagnostics {
		log.Print("[INFO] Docker container inspect")
		return nil
	}
	for level, wanted := range map[string]bool{"off": false, "debug": true, "": true} {
		t.Setenv(LogLevel, level)
		var logged bytes.Buffer
		log.SetOutput(&logged)
		quiet(says)(t.Context(), nil, nil)
		if (logged.Len() > 0) != wanted {
			t.Errorf("%s=%q: logged %q", LogLevel, level, logged.String())
		}
	}
}
