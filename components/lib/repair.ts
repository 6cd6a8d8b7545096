import type * as pulumi from "@pulumi/pulumi";

/**
 * Options of a resource with an input that says why it is to be made again.
 *
 * What was found on a machine is no property of the declaration, so it can't be an input like the
 * others: once repaired, the reason would be gone, and that would be a change too. So the input
 * counts only while there is a reason, and otherwise stays what it was.
 *
 * @param input path of the input that holds the reason.
 * @param reason why the resource is to be made again; a text that is new for each cause.
 */
export function repairable(
  input: string,
  reason: string | undefined,
): Pick<pulumi.CustomResourceOptions, "ignoreChanges"> {
  return reason === undefined ? { ignoreChanges: [input] } : {};
}

/** Options that leave everything below a component as it is, whatever is declared. */
export function frozen(
  retainOnDelete: boolean,
): Pick<pulumi.ComponentResourceOptions, "transformations"> {
  return {
    transformations: [
      ({ props, opts }) => ({ props, opts: { ...opts, ignoreChanges: ["*"], retainOnDelete } }),
    ],
  };
}
