// The pure parts of running Pulumi: what a stack file's text says, what is printed at the end.

/** The value of a text of YAML; undefined where it is none, which the program reports. */
async function parseYaml(text) {
  const { safeLoad } = (await import("js-yaml")).default; // there only after setup
  try {
    return safeLoad(text);
  } catch {
    return undefined;
  }
}

/** The cluster of a stack file, as it is written. */
const clusterIn = async (text) => (await parseYaml(text))?.config?.["ipyparallel:cluster"];

/** Whether a stack file has the key `hosts`: without it, nothing is anywhere but here. */
export const declaresHosts = async (text) => (await clusterIn(text))?.hosts !== undefined;

/** Whether an image of a stack file has packages, which have to be locked. */
export const declaresPackages = async (text) =>
  Object.values((await clusterIn(text))?.images ?? {}).some(
    (image) => image?.packages !== undefined,
  );

/** Whether a value of YAML has an encrypted value, `{ secure: … }`, somewhere in it. */
function hasSecret(value) {
  if (typeof value !== "object" || value === null) return false;
  return typeof value.secure === "string" || Object.values(value).some(hasSecret);
}

/**
 * The stack file's text for the local backend: without a salt that no secret in it needs, since
 * the salt fits the passphrase of the machine where it was written.
 */
export async function configurationCopy(text) {
  const file = await parseYaml(text);
  if (file?.encryptionsalt === undefined || hasSecret(file.config)) return text;
  const { safeDump } = (await import("js-yaml")).default;
  return safeDump(
    Object.fromEntries(Object.entries(file).filter(([key]) => key !== "encryptionsalt")),
  );
}

/** The engines as a table, in the order of workers and slots, and a line that counts them. */
export function engineTable(given) {
  const engines = given.toSorted(
    (a, b) => a.worker.localeCompare(b.worker, "en", { numeric: true }) || a.slot - b.slot,
  );
  const columns = ["worker", "engine", "id", "ident", "host", "python", "ipyparallel"];
  const rows = engines.map((engine) =>
    columns.map((name) => String(engine[name === "engine" ? "slot" : name] ?? "")),
  );
  const lines = [columns, ...rows];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index].length)));
  const table = lines.map((line) =>
    line
      .map((text, index) => text.padEnd(widths[index]))
      .join("  ")
      .trimEnd(),
  );
  const count = (number, noun) => `${String(number)} ${noun}${number === 1 ? "" : "s"}`;
  const workers = new Set(engines.map(({ worker }) => worker)).size;
  return [
    ...table,
    "",
    `${count(engines.length, "engine")} on ${count(workers, "worker")} ready`,
  ].join("\n");
}
