import { ConfigError } from "./parse";
import { isRecord } from "./words";

/** Keys and numbers from the value of `ipyparallel:cluster` to a part of it. */
type Path = (string | number)[];

/** What stands for a secret where it can't be decrypted. */
const CONCEALED = "[secret]";

/** Whether a value is what `pulumi config set --secret` writes: `secure:` and an encrypted text. */
function isSecret(value: unknown): boolean {
  return isRecord(value) && Object.keys(value).length === 1 && typeof value.secure === "string";
}

/** The paths of all secrets in a value as it stands in a stack file. */
export function secretPaths(value: unknown, at: Path = []): Path[] {
  if (isSecret(value)) {
    return [at];
  }
  const parts: [string | number, unknown][] = Array.isArray(value)
    ? value.map((item, index) => [index, item])
    : isRecord(value)
      ? Object.entries(value)
      : [];
  return parts.flatMap(([key, part]) => secretPaths(part, [...at, key]));
}

/**
 * The value of `ipyparallel:cluster`, for tools that can't decrypt: with a text in place of each
 * secret.
 *
 * @param value what stands in the stack file.
 * @throws ConfigError if something other than a variable of an `env` is secret.
 */
export function withoutSecrets(value: unknown): unknown {
  checkSecrets(value);
  const conceal = (part: unknown): unknown => {
    if (isSecret(part)) {
      return CONCEALED;
    }
    if (Array.isArray(part)) {
      return part.map(conceal);
    }
    return isRecord(part)
      ? Object.fromEntries(Object.entries(part).map(([key, inner]) => [key, conceal(inner)]))
      : part;
  };
  return conceal(value);
}

/**
 * The secrets among the variables of workers, in plain text.
 *
 * @param raw the value of `ipyparallel:cluster` as it stands in the stack file.
 * @param decrypted the same as Pulumi hands it to the program.
 * @throws ConfigError if something other than a variable of an `env` is secret.
 */
export function secretTexts(raw: unknown, decrypted: unknown): Set<string> {
  checkSecrets(raw);
  const texts = secretPaths(raw).map((path) =>
    path.reduce<unknown>((part, key) => (part as Record<string | number, unknown>)[key], decrypted),
  );
  return new Set(texts.map(String));
}

/**
 * Everything else decides on names, images or what containers may use: Docker and Pulumi show it.
 */
function checkSecrets(value: unknown): void {
  const wrong = secretPaths(value).filter((path) => path.length < 2 || path.at(-2) !== "env");
  if (wrong.length > 0) {
    throw new ConfigError(
      wrong.map((path) => {
        const text = path.map((key) => (typeof key === "number" ? `[${String(key)}]` : `.${key}`));
        const name = text.join("").replace(/^\./, "") || "ipyparallel:cluster";
        return `${name}: must not be a secret (got \`secure:\`); only variables of an env can be, set it in plain text`;
      }),
    );
  }
}
