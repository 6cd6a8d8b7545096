// The pure parts of running Pulumi: which stack, its configuration, what is told at the end.

/** Takes `-s NAME`, `--stack NAME` and the like from the arguments. Default: `given`, else dev. */
export function takeStack(args, given) {
  const rest = [];
  let stack = given || "dev";
  for (let index = 0; index < args.length; index += 1) {
    const option = /^(?:--stack|-s)(?:=(.*))?$/.exec(args[index]);
    if (option) stack = option[1] ?? args[(index += 1)] ?? "";
    else rest.push(args[index]);
  }
  return { stack, args: rest };
}

/**
 * The stack file's text for the local backend: without a salt that no secret in it needs, since
 * the salt fits the passphrase of the machine where it was written.
 */
export function configurationCopy(text) {
  return /^\s+(?:-\s+)?secure:/m.test(text) ? text : text.replace(/^encryptionsalt:.*\n?/gm, "");
}

/** The engines as a table, in the order of workers and slots, and a line that counts them. */
export function engineTable(given) {
  const engines = given.toSorted(
    (a, b) => a.worker.localeCompare(b.worker, "en", { numeric: true }) || a.slot - b.slot,
  );
  const columns = ["worker", "engine", "id", "ident", "host", "python", "ipyparallel"];
  const rows = engines.map((engine) =>
    columns.map((name) => String(engine[name === "engine" ? "slot" : name] ?? "")),
  );
  const lines = [columns, ...rows];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index].length)));
  const table = lines.map((line) =>
    line
      .map((text, index) => text.padEnd(widths[index]))
      .join("  ")
      .trimEnd(),
  );
  const count = (number, noun) => `${String(number)} ${noun}${number === 1 ? "" : "s"}`;
  const workers = new Set(engines.map(({ worker }) => worker)).size;
  return [
    ...table,
    "",
    `${count(engines.length, "engine")} on ${count(workers, "worker")} ready`,
  ].join("\n");
}
