// The test suites, in the order in which they run: quick ones first.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { extname, join } from "node:path";
import { root, testVenv } from "../setup/context.mjs";

const node = (name) => join("node_modules", ".bin", name);
const tool = (name) => join(testVenv, "bin", name);

/** The project's files, without what is fetched or made. */
function projectFiles(folder = "") {
  const skipped = new Set([".git", ".local", "node_modules"]);
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : projectFiles(path);
    return entry.isFile() ? [path] : [];
  });
}

export const filesEndingIn = (...endings) =>
  projectFiles().filter((path) => endings.some((ending) => path.endsWith(ending)));

/** Shell scripts: by their name, or by their first line where they have no ending. */
function shellScripts() {
  const firstLine = (path) => readFileSync(join(root, path), "utf8").split("\n", 1)[0];
  return projectFiles().filter(
    (path) =>
      extname(path) === ".sh" || (!extname(path) && /^#!.*\b(ba)?sh\b/.test(firstLine(path))),
  );
}

/** Our Go modules: the plugins. The other folders of tools/engine only name what to build. */
const goModules = () =>
  filesEndingIn("go.mod")
    .map((path) => path.slice(0, -"/go.mod".length))
    .filter((folder) => existsSync(join(root, folder, "cmd")));

const check = (name, command, args) => ({ name, group: "quick", counts: "status", command, args });
const mocha = (name, group, ...args) => ({
  name,
  group,
  counts: "mocha",
  command: node("mocha"),
  args,
});
const pytest = (name, group, ...args) => ({
  name,
  group,
  counts: "pytest",
  command: tool("pytest"),
  args,
});
// Paths are trimmed as build.sh does, so that what it has compiled is not compiled again.
const go = (group, folder, counts, ...args) => ({
  name: `go ${args[0]} ${folder.split("/").at(-1)}`,
  group,
  counts,
  command: "go",
  args: [...args, "-trimpath", "./..."],
  cwd: folder,
});

/** Files of tests on real clusters, with or without test hosts of their own. */
function realTests({ onHosts }) {
  const source = (path) => readFileSync(join(root, path), "utf8");
  return filesEndingIn(".test.ts")
    .filter((path) => path.startsWith(join("test", "real")))
    .filter((path) => /from "\.\.\/(hosts|faults\/hostCluster)"/.test(source(path)) === onHosts)
    .sort();
}

/**
 * A suite is a command and the way its tests are counted: `status` is one test, passed when the
 * command ends with 0; `mocha`, `pytest` and `go` read what those runners report. `group` selects
 * it (`npm test -- quick`), and decides what set-up it needs.
 */
export const suites = () => [
  check("types", node("tsc"), ["--noEmit", "--project", "."]),
  check("eslint", node("eslint"), ["--max-warnings", "0", "."]),
  check("prettier", node("prettier"), ["--check", "--log-level", "warn", "."]),
  check("ruff", tool("ruff"), ["check", "."]),
  check("ruff format", tool("ruff"), ["format", "--check", "."]),
  check("shellcheck", tool("shellcheck"), ["--external-sources", ...shellScripts()]),
  check("gofmt", "bash", ["tools/test/gofmt.sh", ...filesEndingIn(".go")]),
  mocha("unit", "unit", "test/unit/*.test.{ts,mjs}"),
  pytest("image unit", "unit", "-m", "not real", "test/image"),
  ...goModules().map((folder) => go("vet", folder, "status", "vet")),
  ...goModules().map((folder) => go("go", folder, "go", "test", "-json")),
  pytest("image", "real", "-m", "real", "test/image"),
  {
    name: "ipyparallel's own",
    group: "real",
    counts: "pytest",
    command: tool("python"),
    args: ["test/upstream/run.py"],
  },
  mocha("real", "real", ...realTests({ onHosts: false })),
  mocha("hosts", "real", "test/hosts/*.test.ts"),
  mocha("real hosts", "real", ...realTests({ onHosts: true })),
];

/** What each group needs of the set-up. */
export const purposeOf = {
  quick: "checks",
  unit: "checks",
  vet: "checks",
  go: "test",
  real: "test",
};

/** The names that choose suites: groups, then suites. */
export function suiteNames() {
  const all = suites();
  return [...new Set([...all.map(({ group }) => group), ...all.map(({ name }) => name)])];
}
