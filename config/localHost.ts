import type { HostArgs } from "../components/lib/hosts";
import { sshEndpoint } from "../components/lib/hosts";
import { Mistake } from "../components/lib/mistake";
import { type LocalDocker, localDocker, LocalDockerError } from "./localDocker.cjs";
import type { ClusterConfig } from "./schema";

/**
 * The hosts of a cluster: those of its stack file, or `local`, the Docker that the user's `docker`
 * command talks to.
 *
 * @throws Mistake if that can't be a host of a cluster.
 */
export function declaredHosts({ hosts }: ClusterConfig): Record<string, HostArgs> {
  return hosts ?? { local: { docker: possible(dockerHere()) } };
}

/**
 * The Docker that the user's `docker` command talks to.
 *
 * @throws Mistake if its settings name none.
 */
export function dockerHere(): LocalDocker {
  try {
    return localDocker();
  } catch (error) {
    throw error instanceof LocalDockerError ? new Mistake(error.message) : error;
  }
}

function possible({ endpoint, source = endpoint }: LocalDocker): string {
  if (!isPossible(endpoint)) {
    throw new Mistake(
      `${source}: must be unix:///path/of/docker.sock or ssh://user@host:port for a cluster ` +
        `without hosts${source.includes(endpoint) ? "" : ` (got ${endpoint})`}; ` +
        "choose another Docker, or name its machine under hosts in the stack file",
    );
  }
  return endpoint;
}

function isPossible(endpoint: string): boolean {
  try {
    return (
      endpoint.startsWith("unix:///") ||
      (sshEndpoint(endpoint) !== undefined && /^\/?$/.test(new URL(endpoint).pathname))
    );
  } catch {
    return false;
  }
}
