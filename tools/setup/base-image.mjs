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
import { cache, defaultBase, laterBase } from "./context.mjs";
import { imageExists } from "./docker.mjs";
import { SetupError, aptInstall, ask, isRoot, run, whichRoot } from "./shell.mjs";

const included = ["python3", "python3-venv", "ca-certificates"];
const bundle = "/etc/ssl/certs/ca-certificates.crt";

/** The name in the file that set-up leaves, if it left one. */
const noted = ({ file }) => (existsSync(file) ? readFileSync(file, "utf8").trim() : undefined);

/** A step that has a base image there, and notes which one; the official default one goes without. */
function step(name, base) {
  const { official, own, file } = base;
  const wanted = () => noted(base) ?? (base === defaultBase ? official : undefined);
  return {
    name,
    after: ["docker"],

    async needed() {
      const image = wanted();
      return image !== undefined && (await imageExists(image))
        ? undefined
        : `fetching the base image ${image ?? official}`;
    },

    async run(log) {
      let found = own;
      if (!(await imageExists(own))) {
        if ((await imageExists(official)) || (await pulled(official, log))) {
          found = official;
        } else {
          log.say(`no registry; making ${own} with debootstrap (about a minute)`);
          await make(base, log);
        }
      }
      if (found === official && base === defaultBase) rmSync(file, { force: true });
      else writeFileSync(file, `${found}\n`);
    },
  };
}

/** The base of images that have the clients' Python. */
export const baseImage = step("base image", defaultBase);

/** The base of images that have Python 3.13: for who asks for it, and from then on. */
export const laterBaseImage = step("base of 3.13", laterBase);
export const keptBaseImage = {
  ...laterBaseImage,
  needed: async () => (noted(laterBase) === undefined ? undefined : laterBaseImage.needed()),
};

async function pulled(image, log) {
  try {
    await run("docker", ["pull", image], { log, firstOutput: 15_000 });
    return true;
  } catch (error) {
    log.write(`${error.message}\n`);
    return false;
  }
}

async function make({ official, own, suite, command }, log) {
  if (!isRoot) {
    throw new SetupError(`${official} can't be pulled, and making a base image needs root`, {
      advice:
        `Run \`${command}\` once as root, or bring the image here from another machine ` +
        `(docker save ${official} | docker load).`,
    });
  }
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
  return archive(suite) ?? archive(defaultBase.suite);
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
