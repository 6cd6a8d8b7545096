/**
 * Switches stack traces off, unless the environment variable IPYPARALLEL_STACK_TRACES is set.
 *
 * The Pulumi SDK takes one for every promise, and the source maps of TypeScript make each of them
 * slow: they are half of the time that a program with many resources takes. Mistakes are told by
 * their messages alone, so that nobody misses them but who looks for a fault in the program itself.
 */
if (process.env.IPYPARALLEL_STACK_TRACES === undefined) {
  Error.stackTraceLimit = 0;
}
