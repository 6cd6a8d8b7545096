// The arguments of a verb: read, checked, and described for `--help`. It uses nothing but Node's own
// library, since it runs before `npm ci`.
import * as util from "node:util"; // an old Node.js has no parseArgs, and is refused later

/**
 * A verb of the command line, such as `up`.
 *
 * @typedef {object} Verb
 * @property {string} summary  what it does, in a line
 * @property {boolean} [stack]  whether it takes `-s NAME`
 * @property {Record<string, Option>} [options]  by their long names
 * @property {Operands} [operands]  what it takes besides options; without it, nothing
 * @property {boolean} [passesOn]  whether all but `-s` goes to another program, which checks it
 * @property {string} [more]  a further paragraph of `--help`
 * @property {(given: Given) => Promise<number>} run  does it; resolves to the exit status
 *
 * @typedef {object} Option
 * @property {string} help
 * @property {string} [value]  what follows it, in capitals; without it, nothing does
 * @property {string} [short]  a single letter
 * @property {boolean} [multiple]  whether it may be repeated
 * @property {(text: string) => string | undefined} [check]  what a value must be, if it is not
 *
 * @typedef {object} Operands
 * @property {string} name  in capitals
 * @property {string} help
 * @property {number} [most]  how many; without it, any number
 * @property {() => string[] | Promise<string[]>} [known]  the words that are allowed; without it, any
 *
 * @typedef {object} Given
 * @property {string} stack  the stack's name, of verbs that take one
 * @property {boolean} stackGiven  whether it was given
 * @property {Record<string, string | true | string[]>} options
 * @property {string[]} operands
 * @property {string[]} rest  all arguments but `-s NAME`, as they were given
 */

/** The user got the arguments wrong; the message says all. */
export class UsageError extends Error {}

const HELP = { help: "print this", short: "h" };
const STACK = { help: "the stack: the file stacks/Pulumi.NAME.yaml", value: "NAME", short: "s" };

const optionsOf = ({ options = {}, stack }) => ({
  ...(stack && { stack: { ...STACK } }),
  ...options,
  help: HELP,
});

/**
 * Reads and checks the arguments of a verb.
 *
 * @param {string} name
 * @param {Verb} verb
 * @param {string[]} args
 * @returns {Promise<Given | undefined>} undefined where `--help` is given
 * @throws UsageError
 */
export async function readArguments(name, verb, args, env = process.env) {
  const options = optionsOf(verb);
  takenByNpm(name, options, env);
  const { tokens } = util.parseArgs({
    args,
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(verb.passesOn ? { stack: STACK } : options).map(([long, { value, short }]) => [
        long,
        { type: value ? "string" : "boolean", multiple: true, ...(short && { short }) },
      ]),
    ),
  });
  const given = { options: {}, operands: [], rest: [] };
  const end = tokens.find(({ kind }) => kind === "option-terminator")?.index ?? Infinity;
  const taken = new Set();
  for (const token of tokens) {
    if (token.kind === "positional" && !verb.passesOn) given.operands.push(token.value);
    if (token.kind !== "option") continue;
    const { name: long, rawName, index, inlineValue } = token;
    const option = options[long];
    if (verb.passesOn && long !== "stack") continue;
    if (option === undefined) throw unknown(name, rawName, options);
    const value = readValue(name, token, option, args);
    if (long === "stack") {
      taken.add(index);
      if (!inlineValue) taken.add(index + 1);
    }
    if (option.multiple) given.options[long] = [...(given.options[long] ?? []), value];
    else if (long in given.options) throw new UsageError(`${rawName} is given twice`);
    else given.options[long] = value;
  }
  given.rest = args.filter((_, index) => !taken.has(index) && (verb.passesOn || index !== end));
  const asksHelp = verb.passesOn
    ? given.rest.length === 1 && ["--help", "-h"].includes(given.rest[0])
    : given.options.help;
  if (asksHelp) return undefined;
  if (!verb.passesOn) await checkOperands(name, verb, given.operands);
  const { stack } = given.options;
  return { ...given, stack: stack ?? (env.PULUMI_STACK || "dev"), stackGiven: stack !== undefined };
}

function readValue(name, { rawName, value: read, inlineValue, index }, { value, check }, args) {
  if (!value) {
    if (inlineValue) throw new UsageError(`${rawName} takes no value (got "${read}")`);
    return true;
  }
  // `-s=NAME` is no short option's way to have a value, and yet what people write.
  const text = /^-[a-z]=/.test(args[index]) ? read?.slice(1) : read;
  if (!text || (!inlineValue && text.startsWith("-"))) {
    throw new UsageError(`${rawName} must be followed by ${value}`);
  }
  const wrong = check?.(text);
  if (wrong) throw new UsageError(`${rawName}: must be ${wrong} (got "${text}")`);
  return text;
}

/** npm keeps options for itself that stand before "--"; a command must not run without them. */
function takenByNpm(name, options, env) {
  for (const long of Object.keys(options).filter((option) => !NPM_OPTIONS.includes(option))) {
    if (env[`npm_config_${long.replaceAll("-", "_")}`] !== undefined) {
      throw new UsageError(
        `npm has taken --${long} for itself: write it behind "--", as in npm run ${name} -- --${long}`,
      );
    }
  }
}

/** Options of npm's own, which users may have set for good. */
const NPM_OPTIONS = ["json", "color", "diff", "message", "help"];

function unknown(name, word, options) {
  const near = nearest(word.replace(/^-+/, ""), Object.keys(options));
  return new UsageError(
    `unknown option ${word}${near ? `, did you mean --${near}?` : ""}; npm run ${name} -- --help lists all`,
  );
}

async function checkOperands(name, { operands, stack }, given) {
  if (given.length === 0) return;
  if (!operands) {
    const hint = stack ? `; a stack is named as in npm run ${name} -- -s ${given[0]}` : "";
    throw new UsageError(`unknown argument "${given[0]}"${hint}`);
  }
  const known = await operands.known?.();
  const wrong = given.filter((word) => known !== undefined && !known.includes(word));
  if (wrong.length > 0) {
    throw new UsageError(`unknown argument "${wrong[0]}"; allowed are ${known.join(", ")}`);
  }
  if (given.length > (operands.most ?? Infinity)) {
    throw new UsageError(
      `unknown argument "${given[operands.most]}": one ${operands.name} is enough`,
    );
  }
}

/** What `--help` prints. */
export function helpOf(name, verb) {
  const { operands, passesOn } = verb;
  const options = passesOn ? { stack: STACK, help: HELP } : optionsOf(verb);
  const most = operands?.most === 1 ? "" : "...";
  const what = passesOn ? " ARGUMENTS" : operands ? ` [${operands.name}]${most}` : "";
  const rows = Object.entries(options).map(([long, { short, value, help, multiple }]) => [
    `${short ? `-${short}, ` : "    "}--${long}${value ? ` ${value}` : ""}`,
    `${help}${multiple ? " (may be repeated)" : ""}`,
  ]);
  if (operands) rows.unshift([operands.name, operands.help]);
  const width = Math.max(...rows.map(([left]) => left.length));
  return [
    `npm run ${name} -- [OPTIONS]${what}`,
    "",
    verb.summary,
    "",
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
    ...(verb.more ? ["", verb.more] : []),
  ].join("\n");
}

/** The word that is one slip away from another, or begins with it. */
export function nearest(word, known) {
  return known.find(
    (other) => (word.length > 2 && other.startsWith(word)) || isOneSlipAway(word, other),
  );
}

function isOneSlipAway(a, b) {
  let begin = 0;
  while (begin < a.length && a[begin] === b[begin]) begin += 1;
  const rest = [a.slice(begin), b.slice(begin)];
  const [x, y] = rest;
  return (
    a.length > 2 &&
    (x.slice(1) === y || x === y.slice(1) || x.slice(1) === y.slice(1) || swapped(x) === y)
  );
}

const swapped = (text) => `${text[1] ?? ""}${text[0] ?? ""}${text.slice(2)}`;
