// The Pulumi CLI: a recent one on the PATH, else the official download, else built from Go modules.
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { cache, oldestPulumi, pulumiVersion } from "./context.mjs";
import {
  atLeast,
  build,
  builtBefore,
  engineIsThere,
  hashSources,
  pulumiOnPath,
  readRecord,
  updateRecord,
  versionOf,
} from "./engine.mjs";
import { SetupError, download, run, which } from "./shell.mjs";

const downloaded = join(cache, `pulumi-${pulumiVersion}`);
const parts = ["cli", "nodejs", "nodejs-host"];
const sources = () => hashSources("pulumi", "language-nodejs", "language-yaml");

/** The user's own Pulumi where it is recent enough, with its host for Node programs. */
function usersOwn() {
  const pulumi = pulumiOnPath();
  const version = pulumi && versionOf(pulumi);
  if (!version || !atLeast(version, oldestPulumi)) return undefined;
  const nodejs =
    which("pulumi-language-nodejs", [dirname(pulumi)]) ?? which("pulumi-language-nodejs");
  return nodejs && { pulumi, nodejs };
}

export const pulumi = {
  name: "pulumi",

  async needed() {
    const record = readRecord();
    const own = usersOwn();
    if (own ? own.pulumi === record.cli?.pulumi : engineIsThere(record)) {
      const builtFrom = record.cli.sources;
      if (builtFrom === undefined || builtFrom === sources()) return undefined;
    }
    return own ? `using ${own.pulumi}` : `fetching the Pulumi CLI ${pulumiVersion}`;
  },

  async run(log) {
    const own = usersOwn();
    if (own) {
      updateRecord({ cli: own });
    } else if (existsSync(downloaded) || (await downloadCli(log))) {
      updateRecord({ cli: executables(downloaded) });
    } else {
      const before = which("go") ? undefined : builtBefore(parts, sources());
      if (!which("go") && before === undefined) {
        throw new SetupError(
          "the Pulumi CLI could not be downloaded, and there is no Go to build it",
          {
            advice:
              "Install Pulumi (https://www.pulumi.com/docs/install/) or Go, then run this again.",
          },
        );
      }
      log.say(
        before === undefined
          ? "no download; building it from Go modules (the first time about 4 minutes)"
          : "no download, and no Go; using what was built before",
      );
      const { cli, nodejs } = before ?? (await build(parts, sources(), log));
      updateRecord({ cli: { pulumi: cli, nodejs, sources: sources() } });
    }
  },
};

const executables = (folder) => ({
  pulumi: join(folder, "pulumi"),
  nodejs: join(folder, "pulumi-language-nodejs"),
});

/** Where Pulumi publishes a release of the CLI for this kind of machine. */
export function cliUrl(version = pulumiVersion, platform = process.platform, arch = process.arch) {
  return `https://get.pulumi.com/releases/sdk/pulumi-v${version}-${platform}-${arch}.tar.gz`;
}

/** Fetches and unpacks a CLI; false when it could not be had. */
export async function downloadCli(log, url = cliUrl(), folder = downloaded, patience = undefined) {
  const archive = `${folder}.tar.gz`;
  const unpacked = `${folder}.new`;
  try {
    if (!(await download(url, archive, log, patience))) return false;
    rmSync(unpacked, { recursive: true, force: true });
    mkdirSync(unpacked, { recursive: true });
    await run("tar", ["-xzf", archive, "-C", unpacked, "--strip-components=1"], { log });
    renameSync(unpacked, folder);
    return true;
  } finally {
    rmSync(archive, { force: true });
  }
}
