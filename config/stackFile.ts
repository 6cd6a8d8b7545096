import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { safeLoad } from "js-yaml";

import { Mistake } from "../components/lib/mistake";
import type { ClusterPlan } from "../components/lib/plan";
import { ConfigError, parseCluster } from "./parse";
import { planDeclared } from "./resolve";
import type { ClusterConfig } from "./schema";
import { withoutSecrets } from "./secrets";
import { record } from "./words";

const STACKS = join(__dirname, "../stacks");

/**
 * What a stack file declares, without Pulumi.
 *
 * @param folder folder of the stack files.
 * @throws Mistake if there is no such file, or if it has mistakes.
 */
export function clusterOfStackFile(stack: string, folder = STACKS): ClusterConfig {
  const name = `Pulumi.${stack}.yaml`;
  if (!existsSync(join(folder, name))) {
    const stacks = readdirSync(folder).flatMap(
      (other) => /^Pulumi\.(.+)\.yaml$/.exec(other)?.[1] ?? [],
    );
    throw new Mistake(`there is no stacks/${name}; the stacks are ${stacks.join(", ")}`);
  }
  const config = record(record(readYaml(folder, name)).config);
  const keys = Object.keys(config).flatMap((key) => /^ipyparallel:(.+)$/.exec(key)?.[1] ?? []);
  return parseCluster(withoutSecrets(config["ipyparallel:cluster"]), keys);
}

/** The value of `ipyparallel:cluster` as it stands in a stack file; undefined if there is none. */
export function rawCluster(stack: string, folder = STACKS): unknown {
  const name = `Pulumi.${stack}.yaml`;
  return existsSync(join(folder, name))
    ? record(record(readYaml(folder, name)).config)["ipyparallel:cluster"]
    : undefined;
}

function readYaml(folder: string, name: string): unknown {
  try {
    return safeLoad(readFileSync(join(folder, name), "utf8"));
  } catch (error) {
    throw new ConfigError([`stacks/${name}: ${error instanceof Error ? error.message : ""}`]);
  }
}

/**
 * The cluster that a stack file declares, without Pulumi: for tools that look at its hosts.
 *
 * @param cluster name of the cluster, where the stack was renamed.
 * @throws Mistake if there is no such file, or if it has mistakes.
 */
export function planFromStackFile(stack: string, cluster = stack): ClusterPlan {
  const declared = clusterOfStackFile(stack);
  return planDeclared(cluster, { ...declared, profile: declared.profile ?? stack });
}
