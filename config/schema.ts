import { z } from "zod";

import { NAME_PATTERN, NAME_RULE } from "../components/lib/names";
import { MAX_BASE_PORT } from "../components/lib/ports";

const name = z.string().regex(NAME_PATTERN).meta({ allowed: NAME_RULE });
const port = z.int().min(1024).max(65535);

const host = z.strictObject({
  docker: z
    .string()
    .regex(/^(unix:\/\/\/.+|ssh:\/\/([^@/\s]+@)?[^@/\s]+)$/)
    .meta({
      allowed: "unix:///path/of/docker.sock or ssh://user@host:port",
      description: "Docker endpoint: `unix:///var/run/docker.sock` or `ssh://user@host:port`.",
    }),
  address: z
    .string()
    .regex(/^[A-Za-z0-9.:_-]+$/)
    .meta({
      allowed: "an IP address or a host name",
      description:
        "Address at which ports published on this host are reached. Defaults to 127.0.0.1 for a " +
        "unix:// endpoint, and to the host in an ssh:// one.",
    })
    .optional(),
  bind: z
    .union([z.ipv4(), z.ipv6()])
    .meta({
      allowed: "an IP address of that host",
      description: "Address of the host that ports are published on. Defaults to `address`.",
    })
    .optional(),
});

const worker = z.strictObject({
  name: name.describe("Name of the worker; its engines are called after it."),
  host: z.string().describe("Host to run on. Defaults to the controller's.").optional(),
  engines: z.int().min(1).max(512).describe("Number of engines. Defaults to 1.").optional(),
  sshPort: port
    .describe("SSH port on the host. Defaults to one derived from the names of cluster and worker.")
    .optional(),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string())
    .describe("Environment variables of the engines.")
    .optional(),
});

const controller = z.strictObject({
  host: z.string().describe("Host to run on. Defaults to the first one.").optional(),
  basePort: z
    .int()
    .min(1024)
    .max(MAX_BASE_PORT)
    .describe("First of the controller's 19 ports. Defaults to one derived from the cluster's name.")
    .optional(),
  heartbeatPeriod: z
    .int()
    .min(50)
    .max(10000)
    .describe("Milliseconds between two heartbeats. Defaults to 500.")
    .optional(),
  heartbeatTimeout: z
    .number()
    .min(2)
    .max(600)
    .describe("Seconds without a heartbeat after which an engine counts as lost. Defaults to 10.")
    .optional(),
});

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
    .describe("Machines with a Docker Engine, by name. Defaults to `local`, this machine's.")
    .optional(),
  controller: controller.describe("The controller.").optional(),
  baseImage: z.string().min(1).describe("Image that docker/Dockerfile begins from.").optional(),
  keyGeneration: z
    .int()
    .min(0)
    .max(1_000_000)
    .describe("Raise it by one to replace every key. Defaults to 0.")
    .optional(),
  imports: z
    .array(
      z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/)
        .meta({ allowed: "the name of a Python module" }),
    )
    .describe("Python modules that every engine must be able to import.")
    .optional(),
  timeout: z
    .int()
    .min(5)
    .max(3600)
    .describe("Seconds that engines have to register. Defaults to 60.")
    .optional(),
  workers: z.array(worker).min(1).describe("The workers."),
});

export type ClusterConfig = z.infer<typeof clusterSchema>;
