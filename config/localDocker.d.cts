/** The Docker of this machine. */
export interface LocalDocker {
  /** Its endpoint, such as `unix:///var/run/docker.sock`; any kind that `docker` knows. */
  endpoint: string;
  /** What names it, such as `DOCKER_HOST=…`; undefined where it is the usual socket. */
  source?: string;
}

/** A setting of Docker's that can't be followed; the message names it. */
export class LocalDockerError extends Error {}

/**
 * The Docker that the user's `docker` command talks to.
 *
 * @param env defaults to the environment of this process.
 * @param exists whether there is a file; for tests.
 * @throws LocalDockerError if a context is named that does not exist.
 */
export function localDocker(
  env?: Record<string, string | undefined>,
  exists?: (path: string) => boolean,
): LocalDocker;
