import { readFileSync } from "node:fs";
import { homedir } from "node:os";

import type { types } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

import type { Host } from "./hosts";
import { Mistake } from "./mistake";
import { CONTAINER_USER } from "./names";

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
 * about 10 s.
 */
export function sshConnection({ host, port, hostKey, privateKey }: SshTarget): ConnectionArgs {
  const dialing = { dialErrorLimit: 10, perDialTimeout: 10 };
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
      ...(host.identityFile === undefined
        ? {}
        : { privateKey: pulumi.secret(readKey(host.identityFile)) }),
      ...dialing,
    },
  };
}

function readKey(file: string): string {
  try {
    return readFileSync(expandHome(file), "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Mistake(`identityFile ${file}, for a bastion: can't be read (${why})`);
  }
}

/** The path with `~/` replaced by the user's home folder, as a shell does. */
function expandHome(path: string): string {
  return path.startsWith("~/") ? `${homedir()}${path.slice(1)}` : path;
}
