// `npm run status [-- -s STACK] [--json]`: what of a cluster runs, and what is missing.
//
// It asks the hosts of the stack file, side by side, and neither Pulumi nor its state.
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { safeLoad } from "js-yaml";

import { planCluster } from "../components/lib/plan";
import { parseCluster } from "../config/parse";
import { probeHosts } from "../config/preflight";
import { expandWorkers, toWorkerSpec } from "../config/resolve";
import { clusterStatus, statusTable } from "../config/status";

async function main(args: string[]): Promise<number> {
  const option = args.findIndex((word) => word === "-s" || word === "--stack");
  const stack = (option < 0 ? undefined : args[option + 1]) ?? process.env.PULUMI_STACK ?? "dev";
  const file = join(__dirname, "..", "stacks", `Pulumi.${stack}.yaml`);
  const settings = safeLoad(readFileSync(file, "utf8")) as {
    config?: Record<string, unknown>;
  } | null;
  const {
    controller,
    registry: _,
    ...cluster
  } = parseCluster(settings?.config?.["ipyparallel:cluster"]);
  const workers = expandWorkers({ ...cluster, controller });
  // How many engines `cores` are, the worker itself tells.
  const plan = planCluster(stack, {
    ...cluster,
    controllerHost: controller?.host,
    imageContext: "",
    workers: workers.map((worker) => toWorkerSpec(worker, 1)),
  });
  const status = clusterStatus(plan, await probeHosts(stack, plan));
  console.log(args.includes("--json") ? JSON.stringify(status, undefined, 2) : statusTable(status));
  return status.missing.length === 0 ? 0 : 1;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
  },
);
