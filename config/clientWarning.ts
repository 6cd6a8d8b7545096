import { readlinkSync } from "node:fs";

import { CONTROLLER } from "../components/lib/names";
import type { Probe } from "./preflight";

/** The minor version of the client that setup made last; undefined if it made none. */
export function clientVersion(link = ".local/venv"): string | undefined {
  try {
    return /venv-(\d+\.\d+)$/.exec(readlinkSync(link))?.[1];
  } catch {
    return undefined;
  }
}

/** What to know where the client that setup made has another Python than workers. */
export function clientWarning(client: string | undefined, probes: Probe[]): string | undefined {
  const others = probes.flatMap(({ parts }) =>
    [...parts].flatMap(([part, { status }]) => {
      const version = status?.python?.split(".").slice(0, 2).join(".");
      const other = part !== CONTROLLER && version !== undefined && version !== client;
      return other ? [`${part} ${version}`] : [];
    }),
  );
  return client === undefined || others.length === 0
    ? undefined
    : `the client in .local/venv has Python ${client}, and workers have another ` +
        `(${others.sort().join(", ")}): functions do not reach these; \`npm run client -- .local/venv\` has more`;
}
