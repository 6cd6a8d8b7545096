// The local Pulumi backend: a folder for the state, and a passphrase that protects its secrets.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { passphraseFile, stateFolder } from "./context.mjs";
import { SetupError } from "./shell.mjs";

const hasStacks = () => {
  const folder = join(stateFolder, ".pulumi", "stacks");
  return (
    existsSync(folder) &&
    readdirSync(folder, { recursive: true }).some((name) => /\.json/.test(name))
  );
};

export const state = {
  name: "state",

  async needed() {
    return existsSync(stateFolder) && existsSync(passphraseFile)
      ? undefined
      : "making a folder for Pulumi's state, and a passphrase";
  },

  async run() {
    if (!existsSync(passphraseFile) && hasStacks()) {
      throw new SetupError(`${passphraseFile} is gone, and the state in ${stateFolder} needs it`, {
        advice: `Put the file back. If it is lost, so are the secrets: remove the containers by hand, then ${stateFolder}.`,
      });
    }
    mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
    if (!existsSync(passphraseFile)) {
      writeFileSync(passphraseFile, `${randomBytes(32).toString("base64url")}\n`, {
        mode: 0o600,
        flag: "wx",
      });
    }
  },
};
