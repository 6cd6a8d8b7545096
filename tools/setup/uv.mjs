// uv makes Python environments, installs packages and locks them. Its wheel comes from the package
// index as pip would fetch it, but without pip, which not every machine has.
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { inflateRawSync } from "node:zlib";
import { cache, root } from "./context.mjs";
import { SetupError, download, isExecutable, run } from "./shell.mjs";

/** Name, version and hashes of uv; the one place that pins it. */
const requirements = readFileSync(join(root, "tools", "uv", "requirements.txt"), "utf8");
const version = /^uv==(\S+)/m.exec(requirements)[1];
const hashes = new Set(Array.from(requirements.matchAll(/sha256:([0-9a-f]{64})/g), ([, h]) => h));

/** The executable, one for all clones of a user. */
export const uvPath = join(cache, `uv-${version}`, "uv");

/** The index that packages come from: uv's own settings first, then pip's. */
export const packageIndex = (env = process.env) =>
  env.UV_DEFAULT_INDEX || env.UV_INDEX_URL || env.PIP_INDEX_URL || "https://pypi.org/simple";

/** The environment that uv runs in: what a user has set for pip holds for it as well. */
export function uvEnvironment(env = process.env) {
  const set = {
    UV_DEFAULT_INDEX: packageIndex(env),
    UV_EXTRA_INDEX_URL: env.UV_EXTRA_INDEX_URL || env.PIP_EXTRA_INDEX_URL,
    UV_INSECURE_HOST: env.UV_INSECURE_HOST || env.PIP_TRUSTED_HOST,
    SSL_CERT_FILE: env.SSL_CERT_FILE || env.PIP_CERT,
    UV_SYSTEM_CERTS: env.UV_SYSTEM_CERTS || "true",
    UV_NO_PROGRESS: "true",
  };
  return { ...env, ...Object.fromEntries(Object.entries(set).filter(([, value]) => value)) };
}

/** Runs uv, its output in a log. */
export const runUv = (args, log, options = {}) =>
  run(uvPath, args, { log, env: uvEnvironment(), ...options });

export const uv = {
  name: "uv",
  needed: async () => (isExecutable(uvPath) ? undefined : `fetching uv ${version}`),

  async run(log) {
    const index = packageIndex().replace(/\/+$/, "");
    const shown = withoutPassword(index);
    const folder = `${dirname(uvPath)}.new`;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const [page, wheel] = [join(folder, "page"), join(folder, "wheel")];
    try {
      if (!(await download(`${index}/uv/`, page, log))) {
        throw new SetupError(`uv ${version} could not be fetched: ${shown} does not answer`, {
          advice: "Set PIP_INDEX_URL or UV_DEFAULT_INDEX to an index that does, or HTTPS_PROXY.",
        });
      }
      const url = wheelUrl(readFileSync(page, "utf8"), `${index}/uv/`);
      if (url === undefined) {
        const machine = `${process.platform} on ${process.arch}`;
        throw new SetupError(`${shown} has no uv ${version} for ${machine}`);
      }
      if (!(await download(url, wheel, log))) {
        throw new SetupError(`uv ${version} could not be fetched from ${withoutPassword(url)}`);
      }
      const content = readFileSync(wheel);
      if (!hashes.has(createHash("sha256").update(content).digest("hex"))) {
        throw new SetupError(`${withoutPassword(url)} is not the uv ${version} that is pinned`);
      }
      writeFileSync(join(folder, "uv"), fileInZip(content, "/scripts/uv"));
      chmodSync(join(folder, "uv"), 0o755);
      rmSync(page);
      rmSync(wheel);
      if (!existsSync(dirname(uvPath))) renameSync(folder, dirname(uvPath));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

const withoutPassword = (url) => url.replace(/\/\/[^/@]*@/, "//");

/** How the wheels for each kind of machine end. */
const endings = {
  "linux x64": /manylinux_2_17_x86_64.*\.whl$/,
  "linux arm64": /manylinux_2_(17|28)_aarch64.*\.whl$/,
  "darwin x64": /macosx_\d+_\d+_x86_64\.whl$/,
  "darwin arm64": /macosx_\d+_\d+_arm64\.whl$/,
};

/**
 * Where a page of an index (PEP 503) has the wheel of uv for a kind of machine, or undefined. User
 * and password of the index hold for its own files too.
 */
export function wheelUrl(page, base, platform = process.platform, arch = process.arch) {
  const ending = endings[`${platform} ${arch}`];
  const links = Array.from(page.matchAll(/<a\s[^>]*?href\s*=\s*["']([^"']+)["']/gi), ([, href]) =>
    href.replaceAll("&amp;", "&").replace(/#.*/, ""),
  );
  const found = links.find((href) => {
    const name = decodeURIComponent(href.replace(/\?.*/, "").split("/").at(-1));
    return name.startsWith(`uv-${version}-`) && ending?.test(name);
  });
  if (found === undefined) return undefined;
  const [url, index] = [new URL(found, base), new URL(base)];
  if (url.host === index.host && !url.username) {
    url.username = index.username;
    url.password = index.password;
  }
  return url.href;
}

/** The content of the file in a zip archive whose path ends so. */
export function fileInZip(zip, ending) {
  const end = zip.lastIndexOf(Buffer.from("PK\x05\x06"));
  let entry = zip.readUInt32LE(end + 16);
  while (zip.readUInt32LE(entry) === 0x02014b50) {
    const [method, size] = [zip.readUInt16LE(entry + 10), zip.readUInt32LE(entry + 20)];
    const [name, extra, comment] = [28, 30, 32].map((at) => zip.readUInt16LE(entry + at));
    const path = zip.toString("utf8", entry + 46, entry + 46 + name);
    if (path.endsWith(ending)) {
      const header = zip.readUInt32LE(entry + 42);
      const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
      const content = zip.subarray(start, start + size);
      return method === 0 ? content : inflateRawSync(content);
    }
    entry += 46 + name + extra + comment;
  }
  throw new SetupError(`the archive has no file ${ending}`);
}
