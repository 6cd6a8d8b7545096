import { parse } from "smol-toml";

/** A package of a `pylock.toml`, as far as it is used here. */
interface LockedPackage {
  name: string;
  version?: string;
  marker?: string;
  sdist?: LockedFile;
  archive?: LockedFile;
  wheels?: LockedFile[];
}

interface LockedFile {
  url?: string;
  hashes?: { sha256?: string };
}

/**
 * A `pylock.toml` as requirements for `pip install --require-hashes`.
 *
 * Only files that an image can install have their hash in it: source, and wheels for Linux, of
 * every architecture, and that Python.
 *
 * @throws Error if a package has no such file.
 */
export function requirements(pylock: string, python: string): string {
  const { packages = [] } = parse(pylock) as { packages?: LockedPackage[] };
  return packages.map((one) => `${requirement(one, python)}\n`).join("");
}

function requirement(locked: LockedPackage, python: string): string {
  const files = [locked.sdist, locked.archive, ...(locked.wheels ?? [])].filter(
    (file) => file !== undefined && fits(file.url ?? "", python),
  );
  const hashes = [...new Set(files.flatMap((file) => file?.hashes?.sha256 ?? []))].sort();
  if (hashes.length === 0) {
    throw new Error(`${locked.name} has no file with a hash: name a released version`);
  }
  const which =
    locked.archive === undefined ? `==${locked.version ?? ""}` : ` @ ${locked.archive.url ?? ""}`;
  const marker = locked.marker === undefined ? "" : ` ; ${locked.marker}`;
  return [`${locked.name}${which}${marker}`, ...hashes.map((hash) => `--hash=sha256:${hash}`)].join(
    " \\\n    ",
  );
}

/** Whether a file is a wheel for a Python on Debian, or no wheel at all. */
export function fits(url: string, python: string): boolean {
  const own = `cp${python.replace(".", "")}`;
  const name = url.split("/").at(-1) ?? "";
  if (!name.endsWith(".whl")) {
    return true;
  }
  const [tags = "", abi = "", platform = ""] = name.slice(0, -".whl".length).split("-").slice(-3);
  const fitsAbi =
    [own, "abi3"].includes(abi) ||
    (abi === "none" && (tags === own || tags.split(".").includes("py3")));
  return fitsAbi && (platform === "any" || /manylinux|^linux/.test(platform));
}
