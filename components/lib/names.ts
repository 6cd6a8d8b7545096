/** A name that is a DNS label, so that it can be part of container names, host names and idents. */
export const NAME_PATTERN = /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/;

/** What {@link NAME_PATTERN} allows, in words for messages. */
export const NAME_RULE =
  "1 to 40 lower-case letters, digits and dashes, beginning with a letter, not ending with a dash";

/** The name that the controller has where workers have theirs; no worker can be called so. */
export const CONTROLLER = "controller";

/** The user that everything in the containers runs as. */
export const CONTAINER_USER = "ipp";

/** The numbers of that user and its group, as `chown` takes them; see docker/Dockerfile. */
export const CONTAINER_UID = "1000:1000";

/** Name of a container, network or volume of a cluster on a Docker host. */
export function dockerName(cluster: string, ...parts: string[]): string {
  return ["ipp", cluster, ...parts].join("-");
}

/** Label with the name of the cluster that a Docker object belongs to. */
export const CLUSTER_LABEL = "ipyparallel.cluster";

/** Label with the name of the worker, or what else it is for. */
export const PART_LABEL = "ipyparallel.part";

/**
 * Label with the fingerprint of the cluster that a Docker object belongs to: names of clusters are
 * unique in one state only, and others may use the same Docker.
 */
export const OWNER_LABEL = "ipyparallel.owner";

/** Labels by which the Docker objects of a cluster are found. */
export function dockerLabels(cluster: string, part: string): { label: string; value: string }[] {
  return [
    { label: CLUSTER_LABEL, value: cluster },
    { label: PART_LABEL, value: part },
  ];
}
