import * as pulumi from "@pulumi/pulumi";

/**
 * Switches stack traces off, unless the environment variable IPYPARALLEL_STACK_TRACES is set.
 *
 * The Pulumi SDK takes one for every promise and for every resource, and the source maps of
 * TypeScript make each of them slow: they are half of the time that a program with many resources
 * takes. Those of the resources are in the stack's state besides, where nothing reads them.
 * Mistakes are told by their messages alone, so that nobody misses them but who looks for a fault
 * in the program itself.
 */
if (process.env.IPYPARALLEL_STACK_TRACES === undefined) {
  Error.stackTraceLimit = 0;
  // For a resource it takes the whole trace, whatever the limit; where another SDK has no such
  // function, this does nothing.
  Reflect.set(pulumi.Resource, "stackTrace", () => []);
}
