import * as pulumi from "@pulumi/pulumi";

/** A resource as a component declares it, secrets unwrapped and named in `secrets`. */
export interface Declared {
  type: string;
  name: string;
  inputs: Record<string, unknown>;
  /** Names of the inputs that are, or hold, a secret. */
  secrets: string[];
}

const SEED = Buffer.alloc(32, 7).toString("base64");
const SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d";

/** Replaces secrets by what they hold. */
function unwrap(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(unwrap);
  }
  if (typeof value === "object" && value !== null) {
    const map = value as Record<string, unknown>;
    return SECRET_SIGNATURE in map
      ? unwrap(map.value)
      : Object.fromEntries(Object.entries(map).map(([key, inner]) => [key, unwrap(inner)]));
  }
  return value;
}

/**
 * Runs a program against mocks and returns what it declared, in the order of registration.
 *
 * @param program declares resources and returns an output that depends on all of them.
 */
export async function declare(program: () => pulumi.Output<unknown>): Promise<Declared[]> {
  const declared: Declared[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs, id }) => {
        const given = inputs as Record<string, unknown>;
        declared.push({
          type,
          name,
          inputs: unwrap(given) as Record<string, unknown>,
          secrets: Object.keys(given).filter((key) =>
            JSON.stringify(given[key]).includes(SECRET_SIGNATURE),
          ),
        });
        return {
          id: id === undefined || id === "" ? `${name}-id` : id,
          state: { ...given, ...outputs(type, name) },
        };
      },
      call: ({ inputs }) => inputs as Record<string, unknown>,
    },
    "ipyparallel",
    "test",
  );
  const output = program();
  await new Promise((resolve) => output.apply(resolve));
  return declared;
}

/** What the providers would answer. */
function outputs(type: string, name: string): Record<string, unknown> {
  switch (type) {
    case "docker:index/remoteImage:RemoteImage":
      return { imageId: "sha256:image" };
    case "command:local:Command":
      return { stdout: SEED };
    case "command:remote:Command":
      return { stdout: name.endsWith("readiness-check") ? '{"engines": []}' : `report of ${name}` };
    default:
      return {};
  }
}

/** The one resource that has this name. */
export function named(declared: Declared[], name: string): Declared {
  const found = declared.filter((resource) => resource.name === name);
  if (found[0] === undefined || found.length > 1) {
    throw new Error(`${String(found.length)} resources are called ${name}`);
  }
  return found[0];
}
