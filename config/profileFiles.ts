// The profile on this machine: whose it is, and whether it is as it was written.
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import type { ProfileHashes, StackState } from "./stackState";

/** What was found of a profile on this machine. */
export interface ProfileCheck {
  /** Why it can't be this cluster's: it is another's, or the user's own. */
  conflict?: string;
  /** What of it is not as it was written. */
  drift?: string;
}

/** Compares a profile with what the state says that was written there. */
export function checkProfile(profile: string, { owner, hasProfile, profile: written }: StackState) {
  const files = profileFiles(profile);
  const found = { client: read(files.client), marker: read(files.marker) };
  const intact = (name: keyof ProfileHashes) => sha256(found[name]) === written?.[name];
  const check: ProfileCheck = {};
  const marker = markerIn(found.marker);
  if (marker !== undefined && marker.owner !== owner) {
    check.conflict =
      `profile ${profile}: it belongs to another cluster, ${marker.cluster}. Give this one a ` +
      `profile of its own (the key "profile" in the stack file), or remove ${files.marker} if ` +
      "that cluster is gone";
  } else if (marker === undefined && found.client !== undefined && !intact("client")) {
    check.conflict =
      `profile ${profile}: ${files.client} exists and was not made by Pulumi. Choose another ` +
      `"profile" in the stack file, or move that file away`;
  } else if (hasProfile) {
    const changes = (["client", "marker"] as const).flatMap((name) => {
      if (found[name] === undefined) {
        return [`${files[name]} is missing`];
      }
      if (written === undefined) {
        return [`${files[name]} can't be compared, since an older version wrote it`];
      }
      if (!intact(name)) {
        return [`${files[name]} was changed`];
      }
      return readableByOthers(files[name]) ? [`${files[name]} can be read by others`] : [];
    });
    check.drift = changes.length === 0 ? undefined : `profile ${profile}: ${changes.join("; ")}`;
  }
  return check;
}

/** The files of a profile that `up` writes. */
function profileFiles(profile: string): Record<keyof ProfileHashes, string> {
  const folder = process.env.IPYTHONDIR || join(homedir(), ".ipython");
  return {
    client: join(folder, `profile_${profile}`, "security/ipcontroller-client.json"),
    marker: join(folder, `profile_${profile}`, "pulumi.json"),
  };
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return undefined;
    }
    throw error;
  }
}

function markerIn(text: string | undefined): { cluster: string; owner: string } | undefined {
  try {
    const marker = JSON.parse(text ?? "") as { cluster: string; owner?: unknown } | null;
    return typeof marker?.owner === "string" ? { ...marker, owner: marker.owner } : undefined;
  } catch {
    return undefined;
  }
}

function readableByOthers(file: string): boolean {
  return (statSync(file).mode & 0o077) !== 0;
}

function sha256(text: string | undefined): string | undefined {
  return text === undefined ? undefined : createHash("sha256").update(text).digest("hex");
}
