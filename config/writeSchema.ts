// Writes stacks/schema.json anew, after a change of config/schema.ts; `npm run schema` runs it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { schemaText } from "./schema";

/** Writes the schema; returns the exit status. */
export function main(): number {
  writeFileSync(join(__dirname, "../stacks/schema.json"), schemaText());
  return 0;
}
