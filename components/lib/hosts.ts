import { isIP } from "node:net";

/** A machine with a Docker Engine. */
export interface HostArgs {
  /**
   * Docker endpoint: `unix:///var/run/docker.sock` or `ssh://user@host:port`. A change replaces
   * everything on the host.
   */
  docker: string;
  /**
   * Address at which the ports published on the host are reached. Defaults to `127.0.0.1` for a
   * `unix://` endpoint and to the name in an `ssh://` one.
   */
  address?: string;
  /**
   * Address of the host that ports are published on. Defaults to `address` where that is an IP
   * address, else to every address of the host (`0.0.0.0`).
   */
  bind?: string;
}

/** A host with its defaults filled in. */
export type Host = Required<HostArgs>;

/** Fills in the defaults of a host. */
export function resolveHost(args: HostArgs): Host {
  const address = args.address ?? defaultAddress(args.docker);
  return { docker: args.docker, address, bind: args.bind ?? (isIP(address) ? address : "0.0.0.0") };
}

function defaultAddress(docker: string): string {
  const url = new URL(docker);
  return url.protocol === "ssh:" ? url.hostname.replace(/^\[|\]$/g, "") : "127.0.0.1";
}

/** Whether an address is one that no other machine can reach. */
export function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || address.startsWith("127.");
}
