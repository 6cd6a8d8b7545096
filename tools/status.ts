// `npm run status [-- -s STACK] [--json]`: what of a cluster runs, and what is missing.
//
// It asks the hosts of the stack file, side by side, and neither Pulumi nor its state.
import { probeHosts } from "../config/preflight";
import { planFromStackFile } from "../config/stackFile";
import { clusterStatus, statusTable } from "../config/status";

async function main(args: string[]): Promise<number> {
  const option = args.findIndex((word) => word === "-s" || word === "--stack");
  const stack = (option < 0 ? undefined : args[option + 1]) ?? process.env.PULUMI_STACK ?? "dev";
  const plan = planFromStackFile(stack);
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
