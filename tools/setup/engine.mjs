// Which Pulumi this clone uses: what set-up found or made, and the environment to run it in.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { cache, local, passphraseFile, plugins, root, stateFolder } from "./context.mjs";
import { ask, isExecutable, run, which } from "./shell.mjs";

const recordFile = join(local, "engine.json");

/**
 * What set-up noted about the engine.
 *
 * @typedef {object} EngineRecord
 * @property {{ pulumi: string, nodejs: string, sources?: string }} [cli]  the two executables, and
 *     for those built here the hash of what they were built from
 * @property {{ home: string, sources?: string }} [plugins]  the PULUMI_HOME that has the plugins
 * @property {Record<string, string | null>} [versions]  versions of executables, by path and age
 */

/** @returns {EngineRecord} */
export function readRecord() {
  try {
    return JSON.parse(readFileSync(recordFile, "utf8"));
  } catch {
    return {};
  }
}

/** @param {EngineRecord} changes */
export function updateRecord(changes) {
  mkdirSync(local, { recursive: true });
  writeFileSync(recordFile, `${JSON.stringify({ ...readRecord(), ...changes }, null, 2)}\n`);
}

/** The user's own PULUMI_HOME; not the one that `pulumiEnvironment` sets for other programs. */
export const userHome =
  process.env.PULUMI_HOME && !process.env.PULUMI_HOME.startsWith(cache)
    ? process.env.PULUMI_HOME
    : join(homedir(), ".pulumi");

const ownBackendUrl = pathToFileURL(stateFolder).href;

/** Whether the state is in this folder: the default, unless the user has set another backend. */
export const isOwnBackend = (env = process.env) =>
  !env.PULUMI_BACKEND_URL || env.PULUMI_BACKEND_URL === ownBackendUrl;

/** Whether a PULUMI_HOME has every plugin in the version that the project uses. */
export const hasPlugins = (home) =>
  plugins.every(({ name, version }) =>
    existsSync(join(home, "plugins", `resource-${name}-v${version}`, `pulumi-resource-${name}`)),
  );

/** The first `pulumi` on the PATH that set-up has not made, or undefined. */
export const pulumiOnPath = () =>
  which(
    "pulumi",
    (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.startsWith(cache)),
  );

/** The version that an executable `pulumi` tells; remembered, since asking takes 0.1 s. */
export function versionOf(pulumi) {
  const { mtimeMs, size } = statSync(pulumi);
  const key = `${pulumi} ${mtimeMs} ${size}`;
  const known = readRecord().versions?.[key];
  if (known !== undefined) return known ?? undefined;
  const env = { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" };
  const version = ask(pulumi, ["version"], { env })?.replace(/^v/, "");
  updateRecord({ versions: { [key]: version ?? null } });
  return version;
}

/** Whether a version such as "3.259.0" or "3.201.0-alpha.1" is at least `oldest`. */
export function atLeast(version, oldest) {
  const numbers = (text) => text.split(/[.-]/).slice(0, 3).map(Number);
  const [have, want] = [numbers(version), numbers(oldest)];
  const first = want.findIndex((number, index) => number !== have[index]);
  return first === -1 || have[first] > want[first];
}

/** The hash of what parts of the engine are built from (folders in tools/engine). */
export function hashSources(...parts) {
  const engine = join(root, "tools", "engine");
  const inPart = (part) =>
    readdirSync(join(engine, part), { recursive: true }).map((name) => join(part, name));
  const hash = createHash("sha256");
  for (const name of ["build.sh", ...parts.flatMap(inPart).sort()]) {
    const file = join(engine, name);
    if (/_test\.go$|\.md$|\/testdata\//.test(file) || !statSync(file).isFile()) continue;
    hash.update(`${name}\0`).update(readFileSync(file));
  }
  return hash.digest("hex").slice(0, 16);
}

const builtFile = (sources, folder) =>
  join(folder, "engine", `built-${sources}-${process.platform}-${process.arch}.json`);

/** The paths of parts that were built from the same sources before, by whichever clone. */
export function builtBefore(parts, sources, folder = cache) {
  try {
    const paths = JSON.parse(readFileSync(builtFile(sources, folder), "utf8"));
    return parts.every((part) => isExecutable(paths[part])) ? paths : undefined;
  } catch {
    return undefined;
  }
}

/** Remembers the paths of parts, so that a machine without Go can use them. */
export const rememberBuilt = (paths, sources, folder = cache) =>
  writeFileSync(builtFile(sources, folder), `${JSON.stringify(paths, null, 2)}\n`);

/** Builds parts of the engine from Go modules; resolves to the path of each. */
export async function build(parts, sources, log) {
  const output = await run("bash", [join(root, "tools", "engine", "build.sh"), ...parts], {
    log,
    capture: true,
  });
  const paths = Object.fromEntries(
    output
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/=(.*)/, 2)),
  );
  rememberBuilt(paths, sources);
  return paths;
}

/**
 * The environment that runs Pulumi for this clone, on top of the user's. By default with the state
 * in this folder; a user who sets PULUMI_BACKEND_URL gets that backend, with their own log-in.
 */
export function pulumiEnvironment(record = readRecord(), given = process.env) {
  const ownPassphrase = !given.PULUMI_CONFIG_PASSPHRASE && !given.PULUMI_CONFIG_PASSPHRASE_FILE;
  const folders = record.cli ? [dirname(record.cli.pulumi), dirname(record.cli.nodejs)] : [];
  const ownHome = record.plugins && record.plugins.home !== userHome;
  return {
    PATH: [...new Set([...folders, ...(given.PATH ?? "").split(delimiter)])].join(delimiter),
    // tsc checks the types in `npm test`; again at each run it would cost 2 s.
    PULUMI_NODEJS_TRANSPILE_ONLY: given.PULUMI_NODEJS_TRANSPILE_ONLY ?? "true",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // Pulumi and its plugins are Go programs that live for seconds: collecting garbage less often
    // takes a tenth off a preview of 300 workers. What they keep is small beside Node.js.
    GOGC: given.GOGC ?? "400",
    // Pulumi keeps an encrypted log of each run, up to 500 MB of them.
    PULUMI_LOG_ROTATION_MAX_TOTAL_MB: given.PULUMI_LOG_ROTATION_MAX_TOTAL_MB ?? "20",
    // Pulumi would look in the home folder of the user database, whatever HOME says.
    PULUMI_HOME: record.plugins?.home ?? userHome,
    // The Docker plugin says each error twice otherwise.
    TF_LOG: given.TF_LOG ?? "off",
    ...(agentIsGone(given) && { SSH_AUTH_SOCK: "" }),
    // For the Docker plugin they count for more than the host that it is given.
    ...Object.fromEntries(TLS_SETTINGS.filter((name) => given[name]).map((name) => [name, ""])),
    ...(isOwnBackend(given)
      ? {
          PULUMI_BACKEND_URL: ownBackendUrl,
          PULUMI_CREDENTIALS_PATH: join(local, "pulumi"),
          PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER: "true",
          PULUMI_DIY_BACKEND_GZIP: "true", // a third of the room
          ...(ownPassphrase && { PULUMI_CONFIG_PASSPHRASE_FILE: passphraseFile }),
        }
      : ownHome && { PULUMI_CREDENTIALS_PATH: given.PULUMI_CREDENTIALS_PATH ?? userHome }),
  };
}

/** Settings of a Docker that is reached by TLS, as none of a cluster is. */
const TLS_SETTINGS = [
  "DOCKER_CERT_PATH",
  "DOCKER_TLS_VERIFY",
  "DOCKER_CA_MATERIAL",
  "DOCKER_CERT_MATERIAL",
  "DOCKER_KEY_MATERIAL",
];

/**
 * Whether SSH_AUTH_SOCK names an agent that no longer runs, as in a session that was resumed: `ssh`
 * goes on without it, and Pulumi's plugin for commands does not.
 */
function agentIsGone({ SSH_AUTH_SOCK, PATH }) {
  if (!SSH_AUTH_SOCK) return false;
  const env = { PATH, SSH_AUTH_SOCK };
  return spawnSync("ssh-add", ["-l"], { env, stdio: "ignore", timeout: 5000 }).status === 2;
}

export const engineIsThere = ({ cli }) =>
  cli !== undefined && isExecutable(cli.pulumi) && isExecutable(cli.nodejs);
