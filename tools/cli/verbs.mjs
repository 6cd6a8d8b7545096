// The verbs of the command line: what each takes, and what does it. `npm run VERB` is one of them.
import { UsageError } from "./arguments.mjs";
import { typescript } from "./typescript.mjs";

/** Pulumi's options that its verbs take. `npm run pulumi` takes all. */
const PULUMI_OPTIONS = {
  target: { help: "act on this resource alone", value: "URN", multiple: true },
  "target-dependents": { help: "and on what depends on it" },
  exclude: { help: "leave this resource alone", value: "URN", multiple: true },
  diff: { help: "show the differences in full" },
  json: { help: "print JSON" },
  color: { help: "when to use colours: always, never, raw, auto", value: "WHEN" },
  message: { help: "a note for the history", value: "TEXT", short: "m" },
  parallel: { help: "how many resources at once", value: "NUMBER", short: "p", check: number(1) },
  debug: { help: "print more of what is done", short: "d" },
  verbose: { help: "how much Pulumi logs, 1 to 11", value: "NUMBER", short: "v", check: number(1) },
  logtostderr: { help: "log to the terminal" },
  logflow: { help: "have plugins log as well" },
  "show-sames": { help: "show what does not change, too" },
  "show-reads": { help: "show what is read, too" },
  "suppress-progress": { help: "print no dots" },
};
const REPLACING = {
  replace: { help: "replace this resource", value: "URN", multiple: true },
  "expect-no-changes": { help: "fail if anything would change" },
};

function number(least) {
  return (text) =>
    /^\d+$/.test(text) && Number(text) >= least
      ? undefined
      : `a whole number from ${String(least)}`;
}

const pulumi = async (stack, args) => (await import("../pulumi.mjs")).runPulumi(stack, args);
const more = "Any other option of Pulumi: npm run pulumi -- COMMAND OPTIONS";

/** A verb that is a command of Pulumi with some options always. */
const operation = (summary, command, options) => ({
  summary,
  stack: true,
  options,
  more,
  run: ({ stack, rest }) => pulumi(stack, [...command, ...rest]),
});

/** @type {Record<string, import("./arguments.mjs").Verb>} */
export const verbs = {
  up: operation(
    "Brings a cluster up, or changes it to what its stack file says.",
    ["up", "--yes", "--skip-preview", "--refresh", "--continue-on-error", "--suppress-outputs"],
    { ...PULUMI_OPTIONS, ...REPLACING },
  ),
  preview: operation("Shows what `up` would change.", ["preview", "--refresh"], {
    ...PULUMI_OPTIONS,
    ...REPLACING,
  }),
  refresh: operation(
    "Compares Pulumi's state with what is there, and corrects the state.",
    ["refresh", "--yes", "--skip-preview"],
    PULUMI_OPTIONS,
  ),
  down: operation(
    "Removes a cluster: containers, network, volumes and profile.",
    ["destroy", "--yes", "--skip-preview", "--refresh", "--continue-on-error"],
    PULUMI_OPTIONS,
  ),
  pulumi: {
    summary: "Runs Pulumi with these arguments, on a stack of this project.",
    stack: true,
    passesOn: true,
    more: "Pulumi's own help: npm run pulumi -- help",
    run: ({ stack, rest }) => {
      if (rest.length > 0) return pulumi(stack, rest);
      throw new UsageError("a command is missing, such as preview, stack output or config");
    },
  },
  env: {
    summary: "Prints the environment that Pulumi needs here, for a shell.",
    stack: true,
    more: 'Use it as: eval "$(npm run --silent env)"',
    run: async ({ stack, stackGiven }) =>
      (await import("../pulumi.mjs")).printEnvironment(stackGiven ? stack : undefined),
  },
  status: {
    summary: "Reports what of a cluster runs, and what is missing.",
    stack: true,
    options: { json: { help: "print JSON" } },
    more: "The exit status is 0 if all is well, 1 if something is missing, 2 if it is not known.",
    run: ({ stack, options }) => typescript("../status.ts").status(stack, options.json === true),
  },
  lock: {
    summary: "Locks the Python packages of a stack's images.",
    stack: true,
    options: { upgrade: { help: "lock all again, with the newest versions that are allowed" } },
    run: ({ stack, options }) =>
      typescript("../lock.ts").lock(stack, { upgrade: options.upgrade === true }),
  },
  client: {
    summary: "Makes a client of an environment of your own, and compares it with the engines.",
    stack: true,
    options: { check: { help: "only compare: install nothing" } },
    operands: { name: "PYTHON", help: "a program, or the folder of an environment", most: 1 },
    run: async ({ stack, options, operands }) => {
      await (await import("../setup.mjs")).setUp("lock", stack);
      return typescript("../client.ts").client(stack, operands[0], {
        check: options.check === true,
      });
    },
  },
  hello: {
    summary: "Has every engine of a cluster say hello.",
    stack: true,
    run: ({ stack }) => typescript("../hello.ts").hello(stack),
  },
  setup: {
    summary: "Sets up what is missing on this machine, and nothing else.",
    operands: {
      name: "PURPOSE",
      help: "what for; cluster if none is given",
      most: 1,
      known: async () => (await import("../setup.mjs")).purposeNames(),
    },
    run: async ({ operands }) => (await import("../setup.mjs")).main(operands[0]),
  },
  test: {
    summary: "Runs the test suites, all of them by default.",
    operands: {
      name: "GROUP or SUITE",
      help: "some suites by their names, or a group of them",
      known: async () => (await import("../test/suites.mjs")).suiteNames(),
    },
    run: async ({ operands }) => (await import("../test.mjs")).main(operands),
  },
  lint: {
    summary: "Runs the linters.",
    run: async () => (await import("../test.mjs")).main(["quick", "vet"]),
  },
  bench: {
    summary: "Measures the cluster against the manual steps and other launchers.",
    options: {
      only: { help: "one of the figures", value: "NAME", multiple: true },
      runs: { help: "how often each is measured (5)", value: "NUMBER", check: number(1) },
      json: { help: "write all values to a file", value: "FILE" },
      chart: { help: "draw the phases, as SVG", value: "FILE" },
      list: { help: "print the names of the figures" },
    },
    run: async ({ rest }) => (await import("../../bench/run.mjs")).main(rest),
  },
  soak: {
    summary: "Breaks a cluster on test hosts at random, with tasks going on.",
    options: {
      seconds: { help: "for how long (600)", value: "NUMBER", check: number(1) },
      seed: { help: "the same faults again", value: "NUMBER", check: number(0) },
      cut: { help: "first cut a link for so many seconds", value: "NUMBER", check: number(1) },
    },
    run: async ({ rest }) => (await import("../soak.mjs")).main(rest),
  },
  package: {
    summary: "Makes the packages of the component library, and prints the path of the one for npm.",
    run: async () => (await import("../package.mjs")).main(),
  },
  schema: {
    summary: "Writes the schemas of the components and of stack files.",
    run: async () =>
      (await (await import("../docs/schema.mjs")).main()) ||
      typescript("../../config/writeSchema.ts").main(),
  },
  docs: {
    summary: "Writes docs/stack-file.md and the API reference.",
    run: async () => (await import("../docs/docs.mjs")).main(),
  },
  format: {
    summary: "Formats the project's files, and fixes what linters can fix.",
    run: async () => (await import("../format.mjs")).main(),
  },
};
