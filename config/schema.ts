import { isIP } from "node:net";

import { z } from "zod";

import { sshEndpoint } from "../components/lib/hosts";
import { NAME_PATTERN, NAME_RULE } from "../components/lib/names";
import { MAX_BASE_PORT } from "../components/lib/ports";
import { PYTHONS } from "../components/lib/python";
import { SIZE_PATTERN } from "../components/lib/sizes";

const SIZE_RULE = "a size such as 512MiB or 1.5GiB";

const name = z.string().regex(NAME_PATTERN).meta({ allowed: NAME_RULE });
const port = z.int().min(1024).max(65535);
const size = z.string().regex(SIZE_PATTERN).meta({ allowed: SIZE_RULE });
const absolutePath = z
  .string()
  .regex(/^\/[^\0]*$/)
  .meta({ allowed: "an absolute path" });
const address = z.string().refine(isAddress).meta({ allowed: "an IP address or a host name" });
const hostKey = z
  .string()
  .regex(/^(ssh|ecdsa|sk-ssh|sk-ecdsa)-[A-Za-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}( .*)?$/)
  .meta({
    allowed: "a public key such as `ssh-ed25519 AAAA…` (see /etc/ssh/ssh_host_ed25519_key.pub)",
    description: "Public SSH host key. Without one, known_hosts decides.",
  });

const bastion = z.strictObject({
  host: address.describe("Address of the machine that connections go through."),
  port: z.int().min(1).max(65535).describe("Port of its SSH server. Defaults to 22.").optional(),
  user: z.string().min(1).describe("User to log in as. Defaults to root.").optional(),
  hostKey: hostKey.optional(),
});

const host = z.strictObject({
  docker: z
    .string()
    .regex(/^(unix:\/\/\/.+|ssh:\/\/([^@/\s]+@)?(\[[0-9A-Fa-f:.]+\]|[^@/:\s]+)(:\d{1,5})?)$/)
    .refine(isEndpoint)
    .meta({
      allowed: "unix:///path/of/docker.sock or ssh://user@host:port",
      description: "Docker endpoint: `unix:///var/run/docker.sock` or `ssh://user@host:port`.",
    }),
  address: address
    .describe(
      "Address at which ports published on this host are reached. Defaults to 127.0.0.1 for a " +
        "unix:// endpoint, and to the host in an ssh:// one.",
    )
    .optional(),
  bind: z
    .union([z.ipv4(), z.ipv6()])
    .meta({
      allowed: "an IP address of that host",
      description:
        "Address of the host that ports are published on, of the same kind (IPv4 or IPv6) as " +
        "`address`. Defaults to `address` if that is an IP address, else to all IPv4 addresses.",
    })
    .optional(),
  bastion: bastion.describe("Machine that connections to this host go through.").optional(),
  hostKey: hostKey.optional(),
  identityFile: z
    .string()
    .min(1)
    .describe(
      "File with the private SSH key for host and bastion. Defaults to ssh's own choice, which " +
        "for a bastion has to be a key of the agent.",
    )
    .optional(),
  architecture: z
    .enum(["amd64", "arm64"])
    .describe("CPU architecture, checked before anything is made.")
    .optional(),
  abandoned: z
    .boolean()
    .describe("Set it when the host is gone for good: nothing on it is touched any more.")
    .optional(),
});

/** What Docker knows of `setrlimit(2)`. */
const ULIMITS = [
  "core",
  "cpu",
  "data",
  "fsize",
  "locks",
  "memlock",
  "msgqueue",
  "nice",
  "nofile",
  "nproc",
  "rss",
  "rtprio",
  "rttime",
  "sigpending",
  "stack",
] as const;

const ulimit = z
  .union([z.int().min(-1), z.strictObject({ soft: z.int().min(-1), hard: z.int().min(-1) })])
  .meta({ allowed: "a whole number, or a map with the keys soft, hard" });

const mount = z.strictObject({
  target: absolutePath.describe("Path in the container, such as /data/scratch."),
  source: absolutePath.describe("Folder on the host; it must exist there.").optional(),
  volume: name.describe("Volume of the cluster, instead of a folder of the host.").optional(),
  readOnly: z.boolean().describe("Whether engines can only read it. Defaults to false.").optional(),
});

const workerOptions = {
  host: z.string().describe("Host to run on. Defaults to the controller's.").optional(),
  engines: z
    .union([z.int().min(1).max(512), z.literal("cores")])
    .meta({
      allowed: 'a whole number from 1 to 512, or "cores"',
      description: "Number of engines, or `cores` for one on each core. Defaults to 1.",
    })
    .optional(),
  image: z.string().describe("Name of the image. Defaults to `default`.").optional(),
  memory: size.describe("Memory, such as 4GiB, at least 64MiB. Defaults to no limit.").optional(),
  cpus: z
    .number()
    .min(0.01)
    .max(4096)
    .describe("CPUs' worth of time. Defaults to no limit.")
    .optional(),
  cpuset: z
    .string()
    .regex(/^\d+(-\d+)?(,\d+(-\d+)?)*$/)
    .meta({ allowed: "CPUs such as 0-3,8", description: "CPUs to run on. Defaults to all." })
    .optional(),
  gpus: z.literal("all").describe("GPUs: `all`. Defaults to none.").optional(),
  shmSize: size.describe("Size of /dev/shm, such as 1GiB. Defaults to Docker's.").optional(),
  tmpSize: size
    .describe(
      "Size of /tmp, which is part of the memory. Defaults to 256MiB; to 64MiB with less than " +
        "512MiB of memory, to 32MiB with less than 128MiB.",
    )
    .optional(),
  ulimits: z
    .partialRecord(z.enum(ULIMITS), ulimit)
    .describe("Limits of processes, such as `nofile: 65536`.")
    .optional(),
  env: z
    .record(
      z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
        .meta({ allowed: "letters, digits and underscores, not beginning with a digit" }),
      z
        .union([z.string().regex(/^[^\0]*$/), z.number(), z.boolean()])
        .meta({ allowed: "a text, a number, true or false", secret: true }),
    )
    .describe("Environment variables of the engines; one can be a secret, see docs/containers.md.")
    .optional(),
  mounts: z.array(mount).describe("Folders of the host and volumes.").optional(),
  threads: z
    .int()
    .min(1)
    .max(1024)
    .describe("Threads of each engine's numerical libraries. Defaults to cores / engines.")
    .optional(),
  restart: z
    .enum(["unless-stopped", "always", "on-failure", "no"])
    .describe("Docker's restart policy. Defaults to unless-stopped.")
    .optional(),
  labels: z.record(z.string().min(1), z.string()).describe("Labels of the container.").optional(),
};

const sshPort = port.describe(
  "SSH port on the host. Defaults to one derived from the names of cluster and worker.",
);

const worker = z.strictObject({
  name: name.describe("Name of the worker, or of a group; engines are called after it."),
  count: z
    .int()
    .min(1)
    .max(10000)
    .describe("Makes it a group of so many workers: name-1, name-2, and so on.")
    .optional(),
  sshPort: sshPort.optional(),
  ...workerOptions,
  overrides: z
    .record(name, z.strictObject({ sshPort: sshPort.optional(), ...workerOptions }))
    .describe("What differs for single workers of the group, by their names.")
    .optional(),
});

/** Versions of Python as texts, and as the numbers that YAML takes them for without quotes. */
const python = z.union([z.enum(PYTHONS), z.literal(PYTHONS.map(Number))]).meta({
  allowed: `one of ${PYTHONS.map((version) => `"${version}"`).join(", ")}`,
  description:
    "Python of the image. Functions reach its engines from clients with the same one alone. " +
    "Defaults to that of the image `default`, or the one that you run.",
});

const image = z.strictObject({
  python: python.optional(),
  base: z
    .string()
    .min(1)
    .describe(
      "Image that docker/Dockerfile begins from. Defaults to the official one of its Python, such as " +
        "python:3.11-slim-bookworm.",
    )
    .optional(),
  packages: z
    .array(
      z
        .string()
        .regex(/^[A-Za-z0-9][^\s'"$`\\;|&]*$/)
        .meta({ allowed: "a Python package as for pip, without spaces, such as scipy==1.14.1" }),
    )
    .describe("Python packages besides ipyparallel, such as scipy==1.14.1.")
    .optional(),
  aptPackages: z
    .array(
      z
        .string()
        .regex(/^[a-z0-9][a-z0-9.+-]+(=[A-Za-z0-9.+:~-]+)?$/)
        .meta({ allowed: "the name of a Debian package" }),
    )
    .describe("Debian packages.")
    .optional(),
  context: z
    .string()
    .min(1)
    .describe(
      "Folder with a Dockerfile of your own, which begins with `ARG WORKER_IMAGE` and " +
        "`FROM ${WORKER_IMAGE}`.",
    )
    .optional(),
  reference: z
    .string()
    .regex(/^[^\s@]+@sha256:[0-9a-f]{64}$/)
    .meta({
      allowed: "an image with its digest: name@sha256:…",
      description: "A ready image instead of one that is built: name@sha256:…",
    })
    .optional(),
});

const controller = z.strictObject({
  host: z.string().describe("Host to run on. Defaults to the first one by name.").optional(),
  basePort: z
    .int()
    .min(1024)
    .max(MAX_BASE_PORT)
    .describe(
      "First of the controller's 19 ports. Defaults to one derived from the cluster's name.",
    )
    .optional(),
  heartbeatPeriod: z
    .int()
    .min(50)
    .max(10000)
    .describe("Milliseconds between two heartbeats. Defaults to 250.")
    .optional(),
  heartbeatTimeout: z
    .number()
    .min(2)
    .max(600)
    .describe("Seconds without a heartbeat after which an engine counts as lost. Defaults to 10.")
    .optional(),
  memory: size
    .describe(
      "Memory of the controller, at least 256MiB, whatever clients leave there. Defaults to 2GiB.",
    )
    .optional(),
});

/** Whether a text is an address that can be dialled: of a host, not of all of them. */
function isAddress(text: string): boolean {
  if (isIP(text) !== 0) {
    return text !== "0.0.0.0" && text !== "::";
  }
  return /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$/.test(text) && !/^[\d.]+$/.test(text);
}

/** Whether a Docker endpoint is a socket, or a host that can be dialled. */
function isEndpoint(text: string): boolean {
  try {
    const ssh = sshEndpoint(text);
    return ssh === undefined || (isAddress(ssh.host) && ssh.port !== 0);
  } catch {
    return false;
  }
}

/** The value of `ipyparallel:cluster` in a stack file. */
export const clusterSchema = z.strictObject({
  profile: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/)
    .meta({
      allowed: "1 to 64 letters, digits, dashes and underscores",
      description: 'Profile for `Client(profile="…")`. Defaults to the name of the stack.',
    })
    .optional(),
  hosts: z
    .record(name, host)
    .describe(
      "Machines with a Docker Engine, by name. Defaults to `local`, the Docker that `docker` uses here.",
    )
    .optional(),
  controller: controller.describe("The controller.").optional(),
  images: z
    .record(name, image)
    .describe("Images by name; `default` is the one of the controller and of most workers.")
    .optional(),
  registry: z
    .strictObject({
      address: z
        .string()
        .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?$/)
        .meta({
          allowed: "a host name, with a port if need be, such as registry.example.org:5000",
          description: "Address of the registry, such as registry.example.org:5000.",
        }),
      username: z.string().min(1).describe("User to log in as."),
    })
    .describe(
      "Registry that asks for a log-in; its password is the secret `ipyparallel:registryPassword`.",
    )
    .optional(),
  defaults: z
    .strictObject(workerOptions)
    .describe("What holds for every worker that does not say otherwise.")
    .optional(),
  workers: z.array(worker).min(1).describe("The workers, one by one or in groups."),
  imports: z
    .array(
      z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/)
        .meta({ allowed: "the name of a Python module" }),
    )
    .describe("Python modules that every engine must be able to import.")
    .optional(),
  keyGeneration: z
    .int()
    .min(0)
    .max(1_000_000)
    .describe("Raise it by one to replace every key. Defaults to 0.")
    .optional(),
  timeout: z
    .int()
    .min(5)
    .max(3600)
    .describe("Seconds that engines have to register. Defaults to 60.")
    .optional(),
  minReady: z
    .union([z.int().min(1), z.string().regex(/^(100|[1-9]?\d)(\.\d+)?%$/)])
    .meta({
      allowed: "a whole number of engines, at least 1, or a share of all such as 80%",
      description:
        "Engines that are enough for `up` to succeed, with a warning of what is missing: a number, " +
        "or a share of all such as 80%. Defaults to all.",
    })
    .optional(),
  preflight: z
    .boolean()
    .describe("Whether hosts are looked at before anything is changed. Defaults to true.")
    .optional(),
});

export type ClusterConfig = z.infer<typeof clusterSchema>;
export type WorkerOptions = NonNullable<ClusterConfig["defaults"]>;

/** JSON Schema of a whole stack file, for editors (draft 7, which all of them know). */
export function stackFileSchema(): object {
  const file = z.object({
    config: z
      .object({
        "ipyparallel:cluster": clusterSchema.describe("The cluster."),
        "ipyparallel:registryPassword": z
          .union([z.object({ secure: z.string() }), z.string()])
          .describe("Password for `registry`; `pulumi config set --secret` writes it.")
          .optional(),
      })
      .describe("Configuration of the stack."),
  });
  const schema = z.toJSONSchema(file, {
    target: "draft-7",
    io: "input",
    override: ({ jsonSchema }) => {
      const { allowed, secret } = jsonSchema;
      delete jsonSchema.allowed;
      delete jsonSchema.secret;
      if (secret === true) {
        jsonSchema.anyOf?.push({
          type: "object",
          properties: { secure: { type: "string" } },
          required: ["secure"],
          additionalProperties: false,
        });
      }
      if (typeof allowed === "string" && jsonSchema.pattern !== undefined) {
        // Editors with yaml-language-server show this instead of the pattern.
        jsonSchema.patternErrorMessage = `Allowed is ${allowed}.`;
      }
    },
  });
  return { title: "Stack file of an ipyparallel cluster", ...schema };
}

/** The text of `stacks/schema.json`. */
export function schemaText(): string {
  return `${JSON.stringify(stackFileSchema(), undefined, 2)}\n`;
}
