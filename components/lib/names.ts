/** A name that is a DNS label, so that it can be part of container names, host names and idents. */
export const NAME_PATTERN = /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/;

/** What {@link NAME_PATTERN} allows, in words for messages. */
export const NAME_RULE =
  "1 to 40 lower-case letters, digits and dashes, beginning with a letter, not ending with a dash";

/** The name that the controller has where workers have theirs; no worker can be called so. */
export const CONTROLLER = "controller";

/** The user that everything in the containers runs as. */
export const CONTAINER_USER = "ipp";

/** Name of a container, network or volume of a cluster on a Docker host. */
export function dockerName(cluster: string, ...parts: string[]): string {
  return ["ipp", cluster, ...parts].join("-");
}

/** Labels that every Docker object of a cluster carries, so that it can be found and told apart. */
export function dockerLabels(cluster: string, part: string): { label: string; value: string }[] {
  return [
    { label: "ipyparallel.cluster", value: cluster },
    { label: "ipyparallel.part", value: part },
  ];
}
