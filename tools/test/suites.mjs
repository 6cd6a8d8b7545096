// The test suites, in the order in which they run: quick ones first.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { root, testVenv, venv } from "../setup/context.mjs";

const node = (name) => join("node_modules", ".bin", name);
const tool = (name) => join(testVenv, "bin", name);

/** The project's files with one of these endings, without what is fetched or made. */
export function filesEndingIn(...endings) {
  const skipped = new Set([".git", ".local", "node_modules"]);
  const inFolder = (folder) =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return skipped.has(entry.name) ? [] : inFolder(path);
      return endings.some((ending) => path.endsWith(ending)) ? [path] : [];
    });
  return inFolder("");
}

/** Shell scripts: by their name, or by their first line where they have no ending. */
function shellScripts() {
  const isShell = (path) =>
    /^#!.*\b(ba)?sh\b/.test(readFileSync(join(root, path), "utf8").slice(0, 80));
  const withoutEnding = [".ci", "docker", "tools"]
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && !entry.name.includes("."))
        .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length + 1)),
    );
  return [...filesEndingIn(".sh"), ...withoutEnding.filter(isShell)];
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
  ...goModules().map((folder) => ({
    ...check(`go vet ${folder.split("/").at(-1)}`, "go", ["vet", "./..."]),
    cwd: folder,
  })),
  mocha("unit", "unit", "test/unit/**/*.{ts,mjs}"),
  {
    name: "image unit",
    group: "unit",
    counts: "pytest",
    command: tool("pytest"),
    args: ["test/image"],
  },
  ...goModules().map((folder) => ({
    name: `go ${folder.split("/").at(-1)}`,
    group: "go",
    counts: "go",
    command: "go",
    args: ["test", "-json", "./..."],
    cwd: folder,
  })),
  mocha("real", "real", "test/real/*.ts"),
];

/** What each group needs of the set-up. */
export const purposeOf = { quick: "checks", unit: "checks", go: "test", real: "test" };

/** The Python of the user's environment, for tests that act as a user does. */
export const userPython = join(venv, "bin", "python");
