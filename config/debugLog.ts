import * as log from "@pulumi/pulumi/log";

/**
 * Switches the SDK's debug messages off, unless the environment variable IPYPARALLEL_DEBUG_LOG is set.
 *
 * The SDK sends the engine several for each resource, all of its properties among them, one after the
 * other, whether anybody wants to see them (`--debug`) or not: a tenth of the CPU time of a run with
 * nothing to change.
 */
if (process.env.IPYPARALLEL_DEBUG_LOG === undefined) {
  Reflect.set(log, "debug", () => Promise.resolve());
}
