// Pulumi's plugins for Docker and remote commands. The official ones belong in the user's own
// PULUMI_HOME, as Pulumi itself would install them. Those built here are a part of the official
// ones, so they go to a home of their own and never meet the user's other projects.
import { createHash } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cache, plugins as wanted } from "./context.mjs";
import {
  build,
  builtBefore,
  hasPlugins,
  hashSources,
  readRecord,
  updateRecord,
  userHome,
} from "./engine.mjs";
import { SetupError, download, run, which } from "./shell.mjs";

const names = wanted.map(({ name }) => name);
const sources = () => hashSources(...names);

export const plugins = {
  name: "plugins",
  after: ["pulumi"],

  async needed() {
    const { plugins: noted } = readRecord();
    if (noted && hasPlugins(noted.home)) {
      if (hasPlugins(userHome) ? noted.home === userHome : noted.sources === sources()) {
        return undefined;
      }
    }
    return `installing Pulumi's plugins ${wanted.map((p) => `${p.name} ${p.version}`).join(", ")}`;
  },

  async run(log) {
    const { pulumi } = readRecord().cli;
    if (hasPlugins(userHome) || (await installOfficial(pulumi, log))) {
      updateRecord({ plugins: { home: userHome } });
      return;
    }
    const before = which("go") ? undefined : builtBefore(names, sources());
    if (!which("go") && before === undefined) {
      throw new SetupError(
        "the plugins could not be downloaded, and there is no Go to build them",
        {
          advice: "Install Go, or connect to the internet, then run this again.",
        },
      );
    }
    log.say(
      before === undefined
        ? "no download; building them from Go modules (the first time about 2 minutes)"
        : "no download, and no Go; using what was built before",
    );
    const built = before ?? (await build(names, sources(), log));
    const key = createHash("sha256").update(JSON.stringify(built)).digest("hex").slice(0, 16);
    const home = join(cache, "engine", `home-${key}`);
    if (!hasPlugins(home)) {
      for (const plugin of wanted) await install(pulumi, home, plugin, built[plugin.name], log);
    }
    updateRecord({ plugins: { home, sources: sources() } });
  },
};

const install = (pulumi, home, { name, version }, file, log) =>
  run(
    pulumi,
    ["plugin", "install", "resource", name, `v${version}`, "--reinstall", "--file", file],
    {
      log,
      env: { ...process.env, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "true" },
    },
  );

/** Where Pulumi publishes a plugin for this kind of machine. */
export function pluginUrl({ name, version }, platform = process.platform, arch = process.arch) {
  const goArch = arch === "x64" ? "amd64" : arch;
  return `https://get.pulumi.com/releases/plugins/pulumi-resource-${name}-v${version}-${platform}-${goArch}.tar.gz`;
}

/** Installs those of the official plugins that are missing; false when they could not be had. */
async function installOfficial(pulumi, log) {
  for (const plugin of wanted) {
    const { name, version } = plugin;
    if (existsSync(join(userHome, "plugins", `resource-${name}-v${version}`))) continue;
    const archive = join(cache, `${name}-${version}.tar.gz`);
    try {
      if (!(await download(pluginUrl(plugin), archive, log))) return false;
      await install(pulumi, userHome, plugin, archive, log);
    } finally {
      rmSync(archive, { force: true });
    }
  }
  return hasPlugins(userHome);
}
