import { isIP } from "node:net";
import { relative } from "node:path";

import { quote } from "./quote";

/** A machine that SSH connections to a host go through (`ssh -J`). */
export interface BastionArgs {
  /** Its address or name. */
  host: string;
  /** Port of its SSH server. Defaults to 22. */
  port?: number;
  /** User to log in as. Defaults to `root`. */
  user?: string;
  /**
   * Its public host key, `<type> <Base64>`. Defaults to what known_hosts says on the way to Docker,
   * and to any key on the way to containers, whose own keys are pinned.
   */
  hostKey?: string;
}

/**
 * A machine with a Docker Engine. What only says how it is reached (`bastion`, `hostKey`,
 * `identityFile`) restarts nothing when it changes.
 */
export interface HostArgs {
  /**
   * Docker endpoint: `unix:///var/run/docker.sock` or `ssh://user@host:port`. A change replaces
   * everything on the host.
   */
  docker: string;
  /**
   * Address at which the ports published on the host are reached. Defaults to `127.0.0.1` for a
   * `unix://` endpoint and to the host in an `ssh://` one. A change restarts engines that dial it;
   * one between IPv4 and IPv6, of the controller's host, replaces the workers on other hosts.
   */
  address?: string;
  /**
   * Address of the host that ports are published on, of the same kind (IPv4 or IPv6) as `address`.
   * Defaults to `address` where that is an IP address, else to every IPv4 address of the host
   * (`0.0.0.0`). A change replaces the containers.
   */
  bind?: string;
  /** Machine that connections from here to the host go through. Defaults to none. */
  bastion?: BastionArgs;
  /** The host's public SSH key, `<type> <Base64>`. Defaults to what known_hosts says. */
  hostKey?: string;
  /**
   * File with the private SSH key for host and bastion. Defaults to what `ssh` takes by itself:
   * the agent's keys and the usual files; with a bastion, the agent's keys alone.
   */
  identityFile?: string;
  /**
   * CPU architecture, `amd64` or `arm64`. Checked against the host's before anything is made.
   * Defaults to whatever the host has.
   */
  architecture?: string;
  /**
   * Set it when the host is gone for good: nothing on it is asked for, changed or removed any
   * more, and its workers count as not declared. Defaults to false.
   */
  abandoned?: boolean;
}

/** A host with its defaults filled in. */
export interface Host extends HostArgs {
  address: string;
  bind: string;
}

/** The parts of an `ssh://` endpoint. */
export interface SshEndpoint {
  host: string;
  user?: string;
  port?: number;
}

/** The parts of an `ssh://` endpoint, or undefined for another one. */
export function sshEndpoint(docker: string): SshEndpoint | undefined {
  const url = new URL(docker);
  if (url.protocol !== "ssh:") {
    return undefined;
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    user: url.username === "" ? undefined : decodeURIComponent(url.username),
    port: url.port === "" ? undefined : Number(url.port),
  };
}

/** Fills in the defaults of a host. */
export function resolveHost(args: HostArgs): Host {
  const address = args.address ?? sshEndpoint(args.docker)?.host ?? "127.0.0.1";
  return { ...args, address, bind: args.bind ?? (isIP(address) ? address : "0.0.0.0") };
}

/** Whether an address is one that no other machine can reach. */
export function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || address.startsWith("127.");
}

/**
 * Seconds until `ssh` gives up. A host that does not answer is told sooner, by the script that
 * makes the connection; the rest is for connections that a busy sshd drops.
 */
const CONNECT_SECONDS = 30;

/**
 * Seconds between `ssh`'s questions whether the host is still there. After three without an answer
 * it ends: a link that is gone, as after a laptop's sleep, would keep an `up` waiting forever.
 */
const ALIVE_SECONDS = 15;

/** Relative, since the stack's state holds it: the same wherever the program's folder is. */
const CONNECT_SCRIPT = relative(process.cwd(), require.resolve("../scripts/ssh-connect.cjs"));

/**
 * Options of `ssh` for a host: no questions, a pinned host key, and a connection that outlives a
 * busy sshd and goes through the bastion where there is one.
 */
export function sshOptions({ bastion, hostKey, identityFile }: HostArgs): string[] {
  const common = [
    "-o",
    "BatchMode=yes",
    "-o",
    `ConnectTimeout=${String(CONNECT_SECONDS)}`,
    "-o",
    `ServerAliveInterval=${String(ALIVE_SECONDS)}`,
    ...(identityFile === undefined ? [] : ["-i", identityFile]),
  ];
  const connect = ["node", CONNECT_SCRIPT];
  if (bastion === undefined) {
    return [...common, ...knownHost(hostKey), "-o", `ProxyCommand=${quote(...connect)} %h %p`];
  }
  const { host, port, user } = bastion;
  const through = [
    "ssh",
    ...common,
    ...knownHost(bastion.hostKey),
    "-p",
    String(port ?? 22),
    `${user ?? "root"}@${host}`,
    "-W",
  ];
  const words = quote(...through).replaceAll("%", "%%");
  return [
    ...common,
    ...knownHost(hostKey),
    "-o",
    `ProxyCommand=${quote(...connect)} %h %p ${words} '[%h]:%p'`,
  ];
}

/** Options by which `ssh` accepts this host key and no other. */
function knownHost(hostKey: string | undefined): string[] {
  if (hostKey === undefined) {
    return [];
  }
  return [
    "-o",
    "StrictHostKeyChecking=yes",
    "-o",
    "UserKnownHostsFile=/dev/null",
    "-o",
    "GlobalKnownHostsFile=/dev/null",
    "-o",
    `KnownHostsCommand=/bin/echo %H ${hostKey}`,
  ];
}

/**
 * The command line that runs a command on a host; here, with that endpoint as Docker's, for a
 * `unix://` one.
 */
export function hostCommand(host: HostArgs, command: string): string[] {
  const endpoint = sshEndpoint(host.docker);
  if (endpoint === undefined) {
    return ["env", `DOCKER_HOST=${host.docker}`, "sh", "-c", command];
  }
  return [
    "ssh",
    ...sshOptions(host),
    ...(endpoint.port === undefined ? [] : ["-p", String(endpoint.port)]),
    ...(endpoint.user === undefined ? [] : ["-l", endpoint.user]),
    endpoint.host,
    command,
  ];
}
