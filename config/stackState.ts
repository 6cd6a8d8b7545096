// What a stack's state says of its cluster: its name, its owner, and what it has on hosts.
//
// A cluster keeps the name and the fingerprint that it was first brought up with, whatever happens to
// the stack: another name, another backend, another clone. Both are in the state, and so are known
// before anything is asked for or changed.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";

import { fingerprint } from "../components/lib/keys";
import { Mistake } from "../components/lib/mistake";

/** A resource in a state, as far as it is used here. */
export interface Resource {
  urn: string;
  type: string;
  id?: string;
  /** URN and id of its provider, with `::` between them. */
  provider?: string;
  outputs?: Record<string, unknown>;
}

/** A container, network or volume on a host; its id is its name where it is a volume. */
export interface DockerObject {
  kind: "container" | "network" | "volume";
  id: string;
  name: string;
  /** Labels of it; an empty text where it has none. */
  cluster: string;
  part: string;
  owner: string;
}

/** SHA-256 of files of the profile on this machine, as they were written last. */
export interface ProfileHashes {
  client: string;
  marker: string;
}

/** What a stack's state says of its cluster. */
export interface StackState {
  /** Name of the cluster: that of the stack when it was first brought up. */
  cluster: string;
  /** The cluster's fingerprint; undefined before it is brought up. */
  owner?: string;
  /** URN of the cluster; undefined before it is brought up. */
  urn?: string;
  /** Hosts that the state has a network on. */
  networks: Set<string>;
  /** Whether the profile on this machine was written. */
  hasProfile: boolean;
  /** What was written there; undefined where a version wrote it that did not record that. */
  profile?: ProfileHashes;
  /** Whether something on a host belongs to this cluster. */
  owns: (host: string, object: DockerObject) => boolean;
  /** Whether the state has something on a host. */
  tracks: (host: string, object: Pick<DockerObject, "kind" | "id">) => boolean;
}

const KINDS: Record<string, DockerObject["kind"]> = {
  "docker:index/container:Container": "container",
  "docker:index/network:Network": "network",
  "docker:index/volume:Volume": "volume",
};

/**
 * What a state says.
 *
 * @param stack name of the stack, and of the cluster where there is none yet.
 * @param owner the cluster's fingerprint, where it is known from elsewhere.
 */
export function stateOf(stack: string, resources: Resource[], owner?: string): StackState {
  const root = resources.find(({ type }) => type === "ipyparallel:index:Cluster");
  const cluster = root === undefined ? stack : nameIn(root.urn);
  const named = (name: string) => resources.find(({ urn }) => nameIn(urn) === name);
  const known = new Set(
    resources.flatMap(({ type, id, provider }) =>
      KINDS[type] === undefined ? [] : [key(hostOf(cluster, provider), KINDS[type], id ?? "")],
    ),
  );
  const recorded = named(`${cluster}-keys`)?.outputs?.owner;
  const fingerprint = owner ?? (typeof recorded === "string" ? recorded : undefined);
  const tracks: StackState["tracks"] = (host, { kind, id }) => known.has(key(host, kind, id));
  return {
    cluster,
    owner: fingerprint,
    urn: root?.urn,
    networks: new Set(
      resources.flatMap(({ type, provider }) =>
        KINDS[type] === "network" ? [hostOf(cluster, provider)] : [],
      ),
    ),
    hasProfile: named(`${cluster}-controller-client`) !== undefined,
    profile: hashesIn(named(`${cluster}-controller-client`)?.outputs?.stdout),
    tracks,
    // Before there were owners, objects had none; so only the state tells.
    owns: (host, object) =>
      object.owner === "" ? tracks(host, object) : object.owner === fingerprint,
  };
}

/** A host may have another name now; ids are unique on all hosts, unlike the names of volumes. */
function key(host: string, kind: DockerObject["kind"], id: string): string {
  return kind === "volume" ? `${host} ${id}` : id;
}

/** Whether a state has a seed whose fingerprint it does not have. */
function lacksOwner(state: StackState, resources: Resource[]): boolean {
  return state.owner === undefined && seedIn(state.cluster, resources) !== undefined;
}

function seedIn(cluster: string, resources: Resource[]): unknown {
  return resources.find(({ urn }) => nameIn(urn) === `${cluster}-keys-seed`)?.outputs?.stdout;
}

function nameIn(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}

/** The host of a resource: its provider is called `<cluster>-<host>`. */
function hostOf(cluster: string, provider = ""): string {
  return (provider.split("::").at(-2) ?? "").slice(cluster.length + 1);
}

function hashesIn(output: unknown): ProfileHashes | undefined {
  try {
    return typeof output === "string" ? (JSON.parse(output) as ProfileHashes) : undefined;
  } catch {
    return undefined; // a version wrote it that printed nothing
  }
}

/** Where a stack's state is, and what runs Pulumi where it is no file. */
export interface Backend {
  url?: string;
  cli: string[];
}

const ROOT = join(__dirname, "..");

/** The backend for a program that Pulumi runs. */
export const programBackend = (): Backend => ({
  url: process.env.PULUMI_BACKEND_URL,
  cli: ["pulumi"],
});

/** The backend for the npm scripts: in this folder, unless the user has set another. */
export const clonesBackend = (): Backend => ({
  url: process.env.PULUMI_BACKEND_URL || pathToFileURL(join(ROOT, ".local/state")).href,
  cli: ["npm", "run", "--silent", "pulumi", "--"],
});

const reads = new Map<string, Promise<StackState>>();

/**
 * What the state of a stack says, read once. From a folder that takes milliseconds; from another
 * backend Pulumi reads it.
 *
 * @throws Mistake if the state can't be read.
 */
export function readState(stack: string, backend: Backend): Promise<StackState> {
  const read = reads.get(stack) ?? readNow(stack, backend);
  reads.set(stack, read);
  return read;
}

async function readNow(stack: string, backend: Backend): Promise<StackState> {
  const resources =
    backend.url?.startsWith("file:///") === true
      ? await readFolder(fileURLToPath(backend.url.replace(/\?.*$/, "")), stack)
      : await exported(stack, backend);
  const state = stateOf(stack, resources);
  if (!lacksOwner(state, resources)) {
    return state;
  }
  // An older version made it, or the first run was killed: only the seed tells.
  const seed = seedIn(state.cluster, await exported(stack, backend, "--show-secrets"));
  const { plaintext } = seed as { plaintext: string };
  return stateOf(stack, resources, fingerprint(JSON.parse(plaintext) as string));
}

interface Deployment {
  resources?: Resource[];
}

/** The resources of a stack in a folder that is Pulumi's backend. */
async function readFolder(folder: string, stack: string): Promise<Resource[]> {
  const project = /^name:\s*(\S+)/m.exec(readFileSync(join(ROOT, "Pulumi.yaml"), "utf8"))?.[1];
  const stacks = join(folder, ".pulumi/stacks");
  // Backends of Pulumi before version 3.61 have one folder for all projects.
  const files = [join(stacks, project ?? "", `${stack}.json`), join(stacks, `${stack}.json`)];
  const first = (end: string) =>
    files.flatMap(
      (file) => readIfThere(`${file}.gz${end}`) ?? readIfThere(`${file}${end}`) ?? [],
    )[0];
  // Pulumi moves the former state away, and then writes the new one.
  for (let tries = 0; ; tries++) {
    const data = first("");
    if (data !== undefined) {
      const text = (data[0] === 0x1f ? gunzipSync(data) : data).toString();
      const { checkpoint } = JSON.parse(text) as { checkpoint?: { latest?: Deployment } };
      return checkpoint?.latest?.resources ?? [];
    }
    if (tries === 10 || first(".bak") === undefined) {
      return [];
    }
    await sleep(20);
  }
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return undefined;
    }
    throw error;
  }
}

/** The resources of a stack as Pulumi tells them. */
async function exported(
  stack: string,
  { cli: [program = "", ...words] }: Backend,
  ...options: string[]
): Promise<Resource[]> {
  const args = [...words, "stack", "export", "--stack", stack, ...options];
  try {
    const { stdout } = await promisify(execFile)(program, args, { cwd: ROOT, maxBuffer: 1 << 28 });
    const text = stdout.slice(stdout.indexOf("{"));
    return (JSON.parse(text) as { deployment?: Deployment }).deployment?.resources ?? [];
  } catch (error) {
    const { stderr = "" } = error as { stderr?: string };
    if (/no stack named/.test(stderr)) {
      return [];
    }
    const reason = stderr.trim().split("\n").at(-1) || String(error);
    throw new Mistake(`the state of stack ${stack} can't be read: ${reason}`);
  }
}
