// The bases of the worker image: Python's own images, else ones made with debootstrap.
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { baseOf, cache, suites } from "./context.mjs";
import { imageExists } from "./docker.mjs";
import { SetupError, aptInstall, ask, isRoot, run, whichRoot } from "./shell.mjs";

const included = ["python3", "python3-venv", "ca-certificates"];
const bundle = "/etc/ssl/certs/ca-certificates.crt";

/** The image that is the base: the one in the file that setup leaves where it made one. */
const named = ({ file, official }) =>
  existsSync(file) ? readFileSync(file, "utf8").trim() : official;

/**
 * A step that has base images there, and notes which of them were made here.
 *
 * @param {() => string[] | undefined} versions  the Pythons that they are for, once that is known
 */
export function baseImages(versions) {
  const missing = async () => {
    const bases = (versions() ?? []).map(baseOf);
    const there = await Promise.all(bases.map((base) => imageExists(named(base))));
    return bases.filter((_, index) => !there[index]);
  };
  return {
    name: "base image",
    after: ["docker", "npm packages"],

    async needed() {
      const names = (await missing()).map(named);
      return names.length === 0 ? undefined : `fetching the base image ${names.join(" and ")}`;
    },

    async run(log) {
      for (const base of await missing()) await provide(base, log);
    },
  };
}

async function provide(base, log) {
  const { official, own, file } = base;
  if (own === undefined || !(await imageExists(own))) {
    if ((await imageExists(official)) || (await pulled(official, log))) {
      rmSync(file, { force: true });
      return;
    }
    await make(base, log);
  }
  writeFileSync(file, `${own}\n`);
}

async function pulled(image, log) {
  try {
    await run("docker", ["pull", image], { log, firstOutput: 15_000 });
    return true;
  } catch (error) {
    log.write(`${error.message}\n`);
    return false;
  }
}

async function make({ python, official, own, suite }, log) {
  const bring = `bring the image here from another machine (docker save ${official} | docker load).`;
  if (own === undefined) {
    const others = Object.keys(suites).join(" or ");
    throw new SetupError(
      `${official} can't be pulled, and no release of Debian has Python ${python} to make one of`,
      { advice: `Set python of the image (images.default.python) to ${others}, or ${bring}` },
    );
  }
  if (!isRoot) {
    throw new SetupError(`${official} can't be pulled, and making a base image needs root`, {
      advice: `Run \`npm run setup -- python${python}\` once as root, or ${bring}`,
    });
  }
  log.say(`no registry; making ${own} with debootstrap (about a minute)`);
  if (!whichRoot("debootstrap")) await aptInstall(["debootstrap"], log);

  const folder = join(cache, `base-image-${suite}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    // In a mount namespace of its own: what debootstrap mounts goes away with it, however it ends.
    const mirror = aptMirror(suite);
    const options = ["--variant=minbase", `--include=${included.join(",")}`];
    await run(
      "unshare",
      ["-m", "debootstrap", ...options, suite, folder, ...(mirror ? [mirror] : [])],
      { log },
    );
    await addHostCertificates(folder, log);
    for (const leftover of ["var/cache/apt/archives", "var/lib/apt/lists"]) {
      for (const name of readdirSync(join(folder, leftover))) {
        if (name !== "lock" && name !== "partial")
          rmSync(join(folder, leftover, name), { recursive: true });
      }
    }
    const environment = ["PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"];
    const changes = environment.flatMap((name) => ["--change", `ENV ${name}=${bundle}`]);
    await run(
      "bash",
      [
        "-o",
        "pipefail",
        "-c",
        'folder=$1; shift; tar -C "$folder" --numeric-owner -c . | docker import "$@"',
        "base-image",
        folder,
        ...changes,
        "-",
        own,
      ],
      { log },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The archive that this machine itself installs Debian from, if it does. */
function aptMirror(suite) {
  const format = "$(REPO_URI) $(SUITE)";
  const targets =
    ask("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]) ?? "";
  const archive = (release) =>
    targets
      .split("\n")
      .find((line) => line.endsWith(` ${release}`))
      ?.split(" ")[0];
  return archive(suite) ?? Object.values(suites).map(archive).find(Boolean);
}

/** The certificates in a bundle, one text each. */
export const certificates = (text) =>
  text.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? [];

/** Makes the image trust what this machine trusts, such as a company's own authority. */
async function addHostCertificates(folder, log) {
  let host;
  try {
    host = readFileSync(process.env.SSL_CERT_FILE || bundle, "utf8");
  } catch {
    return;
  }
  const known = new Set(certificates(readFileSync(join(folder, bundle), "utf8")));
  const added = certificates(host).filter((certificate) => !known.has(certificate));
  added.forEach((certificate, index) => {
    appendFileSync(
      join(folder, "usr/local/share/ca-certificates", `host-${String(index + 1)}.crt`),
      `${certificate}\n`,
    );
  });
  if (added.length > 0) await run("chroot", [folder, "update-ca-certificates"], { log });
}
