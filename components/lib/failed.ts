import * as pulumi from "@pulumi/pulumi";

/**
 * An output of a resource, or `instead` where the resource could not be made.
 *
 * With `--continue-on-error` Pulumi leaves out what depends on a failed resource, but it checks the
 * inputs of that before, and gives up altogether where a required one is not known.
 */
export function evenIfFailed(
  resource: pulumi.Resource,
  output: pulumi.Output<string>,
  instead: string,
): pulumi.Output<string> {
  return pulumi.all([resource.urn, ifMade(output)]).apply(([, value]) => value ?? instead);
}

/**
 * What an output holds, or undefined where its resource could not be made; unlike the output
 * itself, that does not depend on the resource then.
 */
export function ifMade(output: pulumi.Output<string>): pulumi.Output<string | undefined> {
  if (pulumi.runtime.isDryRun()) {
    return output;
  }
  // Every output has it, though its type does not say so.
  const { isKnown } = output as unknown as { isKnown: Promise<boolean> };
  const made: pulumi.Output<boolean> = pulumi.output(isKnown);
  return made.apply((known) => (known ? output : pulumi.output(undefined)));
}
