import { readFileSync } from "node:fs";
import { join } from "node:path";

import { safeLoad } from "js-yaml";

import type { ClusterPlan } from "../components/lib/plan";
import { parseCluster } from "./parse";
import { planDeclared } from "./resolve";
import type { ClusterConfig } from "./schema";

/**
 * What a stack file declares, without Pulumi.
 *
 * @throws Mistake if the file has mistakes, or an error if it can't be read.
 */
export function clusterOfStackFile(stack: string): ClusterConfig {
  const file = join(__dirname, "..", "stacks", `Pulumi.${stack}.yaml`);
  const settings = safeLoad(readFileSync(file, "utf8")) as {
    config?: Record<string, unknown>;
  } | null;
  return parseCluster(settings?.config?.["ipyparallel:cluster"]);
}

/**
 * The cluster that a stack file declares, without Pulumi: for tools that look at its hosts.
 *
 * @throws Mistake if the file has mistakes, or an error if it can't be read.
 */
export function planFromStackFile(stack: string): ClusterPlan {
  return planDeclared(stack, clusterOfStackFile(stack));
}
