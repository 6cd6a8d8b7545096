import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";

import type { types } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

import type { Host } from "./hosts";
import { CONTAINER_USER } from "./names";
import type { ClusterPlan } from "./plan";

type ConnectionArgs = types.input.remote.ConnectionArgs;

/** Where the SSH server of a container is, and what proves both sides. */
export interface SshTarget {
  /** The host that the container runs on. */
  host: Host;
  /** The container's SSH port as published there. */
  port: number;
  /** The container's public host key; any other one ends the connection. */
  hostKey: pulumi.Input<string>;
  /** The key to log in with. */
  privateKey: pulumi.Input<string>;
}

/**
 * The one place where an SSH connection to a container is described.
 *
 * A container that was just started refuses connections for some tenths of a second, and a busy
 * sshd may drop some (MaxStartups): ten dials, each a little later than the one before, span
 * about 10 s. Where a firewall swallows them, they end within a minute.
 */
export function sshConnection({ host, port, hostKey, privateKey }: SshTarget): ConnectionArgs {
  const dialing = { dialErrorLimit: 10, perDialTimeout: 4 };
  const connection = { host: host.address, port, user: CONTAINER_USER, privateKey, hostKey };
  if (host.bastion === undefined) {
    return { ...connection, ...dialing };
  }
  const { host: address, port: bastionPort, user, hostKey: bastionKey } = host.bastion;
  return {
    ...connection,
    ...dialing,
    proxy: {
      host: address,
      port: bastionPort ?? 22,
      user: user ?? "root",
      ...(bastionKey === undefined ? {} : { hostKey: bastionKey }),
      // Of a host that is left alone it may be gone.
      ...(host.identityFile === undefined
        ? {}
        : { privateKey: pulumi.secret(readKey(host.identityFile).key ?? "") }),
      ...dialing,
    },
  };
}

/**
 * What keeps Pulumi from logging in to the bastions of a cluster, as far as can be seen from here;
 * unlike `ssh`, it looks for no key by itself.
 *
 * @returns the mistakes, each with its key in a stack file.
 */
export function bastionMistakes({ hostsInUse, host, leftAlone }: ClusterPlan): string[] {
  return hostsInUse.flatMap((name) => {
    const { bastion, identityFile } = host(name);
    if (bastion === undefined || leftAlone(name)) {
      return [];
    }
    const problem = keyProblem(identityFile);
    return problem === undefined
      ? []
      : [`hosts.${name}.identityFile: ${problem}; the bastion ${bastion.host} needs a key`];
  });
}

function keyProblem(identityFile: string | undefined): string | undefined {
  if (identityFile === undefined) {
    return existsSync(process.env.SSH_AUTH_SOCK ?? "")
      ? undefined
      : "is missing, and no SSH agent runs (SSH_AUTH_SOCK)";
  }
  const { failure } = readKey(identityFile);
  return failure === undefined ? undefined : `${identityFile} can't be read (${failure})`;
}

/** A private key, or why it can't be read. */
function readKey(file: string): { key?: string; failure?: string } {
  try {
    return { key: readFileSync(expandHome(file), "utf8") };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

/** The path with `~/` replaced by the user's home folder, as a shell does. */
function expandHome(path: string): string {
  return path.startsWith("~/") ? `${homedir()}${path.slice(1)}` : path;
}
