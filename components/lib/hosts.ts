import { isIP } from "node:net";

import { quote } from "./quote";

/** A machine that SSH connections to a host go through (`ssh -J`). */
export interface BastionArgs {
  /** Its address or name. */
  host: string;
  /** Port of its SSH server. Defaults to 22. */
  port?: number;
  /** User to log in as. Defaults to `root`. */
  user?: string;
  /** Its public host key, `<type> <Base64>`. Without one, known_hosts decides. */
  hostKey?: string;
}

/** A machine with a Docker Engine. */
export interface HostArgs {
  /**
   * Docker endpoint: `unix:///var/run/docker.sock` or `ssh://user@host:port`. A change replaces
   * everything on the host.
   */
  docker: string;
  /**
   * Address at which the ports published on the host are reached. Defaults to `127.0.0.1` for a
   * `unix://` endpoint and to the host in an `ssh://` one. A change restarts engines that dial it.
   */
  address?: string;
  /**
   * Address of the host that ports are published on. Defaults to `address` where that is an IP
   * address, else to every IPv4 address of the host (`0.0.0.0`). A change replaces the containers.
   */
  bind?: string;
  /** Machine that connections from here to the host go through. Defaults to none. */
  bastion?: BastionArgs;
  /** The host's public SSH key, `<type> <Base64>`. Without one, known_hosts decides. */
  hostKey?: string;
  /**
   * File with the private SSH key for host and bastion. Defaults to what `ssh` takes by itself:
   * the agent's keys and the usual files.
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

/** Seconds that a connection to a host may take before it counts as unreachable. */
export const CONNECT_SECONDS = 8;

/**
 * Options of `ssh` for a host: no questions, a pinned host key, the way through a bastion, and one
 * connection that all that follow share, since sshd drops connections that come too fast
 * (MaxStartups).
 */
export function sshOptions({ bastion, hostKey, identityFile }: HostArgs): string[] {
  const common = [
    "-o",
    "BatchMode=yes",
    "-o",
    `ConnectTimeout=${String(CONNECT_SECONDS)}`,
    ...(identityFile === undefined ? [] : ["-i", identityFile]),
  ];
  const options = [
    ...common,
    ...knownHost(hostKey),
    "-o",
    "ControlMaster=auto",
    "-o",
    "ControlPath=~/.ssh/ipp-%C",
    "-o",
    "ControlPersist=60",
  ];
  if (bastion !== undefined) {
    const through = ["ssh", ...common, ...knownHost(bastion.hostKey)];
    const target = `${bastion.user ?? "root"}@${bastion.host}`;
    const words = quote(...through, "-p", String(bastion.port ?? 22), target).replaceAll("%", "%%");
    options.push("-o", `ProxyCommand=${words} -W [%h]:%p`);
  }
  return options;
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

/** The command line that runs a command on a host, or one here for a `unix://` endpoint. */
export function hostCommand(host: HostArgs, command: string): string[] {
  const endpoint = sshEndpoint(host.docker);
  if (endpoint === undefined) {
    return ["sh", "-c", command];
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
