// Writes stacks/schema.json anew, after a change of config/schema.ts:
//
//   node -r ts-node/register/transpile-only config/writeSchema.ts
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { schemaText } from "./schema";

writeFileSync(join(__dirname, "../stacks/schema.json"), schemaText());
