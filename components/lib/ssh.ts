import type { types } from "@pulumi/command";
import type * as pulumi from "@pulumi/pulumi";

import { CONTAINER_USER } from "./names";

type ConnectionArgs = types.input.remote.ConnectionArgs;

/** Where the SSH server of a container is, and what proves both sides. */
export interface SshTarget {
  /** Address of the Docker host on which the container's SSH port is published. */
  address: string;
  /** The published port. */
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
export function sshConnection({ address, port, hostKey, privateKey }: SshTarget): ConnectionArgs {
  return {
    host: address,
    port,
    user: CONTAINER_USER,
    privateKey,
    hostKey,
    dialErrorLimit: 10,
    perDialTimeout: 10,
  };
}
