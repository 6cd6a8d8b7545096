// The base of the worker image: Python's own image, else one made with debootstrap.
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { baseImageFile, cache, officialBaseImage, ownBaseImage } from "./context.mjs";
import { imageExists } from "./docker.mjs";
import { SetupError, aptInstall, ask, isRoot, run, whichRoot } from "./shell.mjs";

const suite = "bookworm"; // its Python is 3.11
const included = ["python3", "python3-venv", "ca-certificates"];
const bundle = "/etc/ssl/certs/ca-certificates.crt";

/** The name in the file that set-up leaves when the default base image can't be pulled. */
function noted() {
  try {
    return readFileSync(baseImageFile, "utf8").trim();
  } catch {
    return undefined;
  }
}

export const baseImage = {
  name: "base image",
  after: ["docker"],

  async needed() {
    const name = noted() ?? officialBaseImage;
    return (await imageExists(name)) ? undefined : `fetching the base image ${name}`;
  },

  async run(log) {
    if (!(await imageExists(ownBaseImage))) {
      if (await pulled(log)) {
        rmSync(baseImageFile, { force: true });
        return;
      }
      log.say(`no registry; making ${ownBaseImage} with debootstrap (about a minute)`);
      await make(log);
    }
    writeFileSync(baseImageFile, `${ownBaseImage}\n`);
  },
};

async function pulled(log) {
  try {
    await run("docker", ["pull", officialBaseImage], { log, firstOutput: 15_000 });
    return true;
  } catch (error) {
    log.write(`${error.message}\n`);
    return false;
  }
}

async function make(log) {
  if (!isRoot) {
    throw new SetupError(
      `${officialBaseImage} can't be pulled, and making a base image needs root`,
      {
        advice:
          `Run \`npm run setup\` once as root, or bring the image here from another machine ` +
          `(docker save ${officialBaseImage} | docker load).`,
      },
    );
  }
  if (!whichRoot("debootstrap")) await aptInstall(["debootstrap"], log);

  const folder = join(cache, "base-image");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    // In a mount namespace of its own: what debootstrap mounts goes away with it, however it ends.
    const mirror = aptMirror();
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
        ownBaseImage,
      ],
      { log },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The archive that this machine itself installs the same Debian release from, if it does. */
function aptMirror() {
  const format = "$(REPO_URI) $(SUITE)";
  const targets =
    ask("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]) ?? "";
  return targets
    .split("\n")
    .find((line) => line.endsWith(` ${suite}`))
    ?.split(" ")[0];
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
