/** A Python and the packages that it has, by name in lower case. */
export interface Environment {
  python: string;
  packages: Record<string, string>;
}

/** Something that a client and engines have in different versions. */
export interface Difference {
  name: string;
  client: string;
  engines: string;
  /** What to do about it; nothing where it does no harm. */
  advice: string;
  /** Whether programs are known to fail with it. */
  breaks: boolean;
}

/** What is compared even where both have the same. */
const ALWAYS = ["ipyparallel", "numpy", "pyzmq", "ipykernel"];

/** What installs packages; nothing of it reaches engines. */
const INSTALLERS = ["pip", "setuptools", "wheel"];

const numbers = (version: string, count: number) => version.split(".").slice(0, count).join(".");

/**
 * What differs between a client and the engines of some workers, which are alike mostly: what always
 * matters first, then each package that both have.
 */
export function compareClient(client: Environment, workers: Record<string, Environment>) {
  const engines = Object.values(workers);
  const names = Object.keys(client.packages).filter(
    (name) => !INSTALLERS.includes(name) && engines.some(({ packages }) => name in packages),
  );
  const row = (name: string, own: string | undefined, theirs: (string | undefined)[]) => ({
    name,
    client: own ?? "missing",
    engines: [...new Set(theirs.map((version) => version ?? "missing"))].sort().join(", "),
    ...judge(name, own, theirs),
  });
  const rows: Difference[] = [
    row(
      "Python",
      client.python,
      engines.map(({ python }) => python),
    ),
    ...[...ALWAYS, ...names.filter((name) => !ALWAYS.includes(name)).sort()].map((name) =>
      row(
        name,
        client.packages[name],
        engines.map(({ packages }) => packages[name]),
      ),
    ),
  ];
  return rows.filter(
    ({ name, client: own, engines: theirs }) =>
      own !== theirs || name === "Python" || ALWAYS.includes(name),
  );
}

function judge(name: string, own: string | undefined, theirs: (string | undefined)[]) {
  const differs = (count: number) =>
    theirs.some((version = "") => numbers(version, count) !== numbers(own ?? "", count));
  const other = theirs.find((version) => version !== own);
  if (name === "Python" && differs(2)) {
    const version = numbers(own ?? "", 2);
    return {
      advice:
        `functions do not reach these engines: use a client with Python ${numbers(other ?? "", 2)}, ` +
        `or set images.default.python: "${version}" in the stack file`,
      breaks: true,
    };
  }
  if (name === "ipyparallel" && (own === undefined || differs(2))) {
    return { advice: `install ipyparallel==${other ?? ""} in the client`, breaks: true };
  }
  if (name === "numpy" && own !== undefined && other !== undefined && differs(1)) {
    return {
      advice: `arrays do not travel between numpy 1 and 2: install numpy==${other} in the client`,
      breaks: true,
    };
  }
  if (own === undefined || other === undefined || ALWAYS.includes(name) || name === "Python") {
    return { advice: "", breaks: false };
  }
  return { advice: `install ${name}==${other} if objects of it are sent`, breaks: false };
}

/** A comparison as a table, with a line that sums it up. */
export function clientTable(rows: Difference[]): string {
  const cells = [
    ["", "client", "engines", "what to do"],
    ...rows.map(({ name, client, engines, advice, breaks }) => [
      name,
      client,
      engines,
      (breaks ? "! " : "") + advice,
    ]),
  ];
  const widths = [0, 1, 2].map((column) =>
    Math.max(...cells.map((line) => (line[column] ?? "").length)),
  );
  const lines = cells.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const broken = rows.filter(({ breaks }) => breaks).map(({ name }) => name);
  const verdict =
    broken.length === 0
      ? "This Python works as a client."
      : `This Python does not work as a client: ${broken.join(", ")}.`;
  return [...lines, "", verdict].join("\n");
}
