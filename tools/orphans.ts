// `node -r ./config/translate.cjs tools/orphans.ts STACK < STATE`: removes the containers and networks
// of a stack that its state does not know, because Pulumi was killed between making one and
// noting it. STATE is what `pulumi stack export` prints.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

import { hostCommand } from "../components/lib/hosts";
import { quote } from "../components/lib/quote";
import { planFromStackFile } from "../config/stackFile";

interface State {
  deployment?: { resources?: { id?: string }[] };
}

function main(stack: string, state: State): void {
  const known = new Set((state.deployment?.resources ?? []).map(({ id }) => id));
  const plan = planFromStackFile(stack);
  for (const host of plan.hosts.filter((name) => !plan.leftAlone(name))) {
    try {
      removeOrphans(host);
    } catch (error) {
      console.error(`host ${host}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  function removeOrphans(host: string): void {
    const docker = (...words: string[]): string[] => {
      const [program, ...args] = hostCommand(plan.host(host), quote("docker", ...words));
      return execFileSync(program as string, args, { encoding: "utf8" })
        .split("\n")
        .filter(Boolean);
    };
    const filter = ["--quiet", "--no-trunc", "--filter", `label=ipyparallel.cluster=${stack}`];
    for (const id of docker("ps", "--all", ...filter).filter((one) => !known.has(one))) {
      docker("rm", "--force", "--volumes", id);
      console.log(`removed container ${id.slice(0, 12)} on host ${host}, which was not noted`);
    }
    for (const id of docker("network", "ls", ...filter).filter((one) => !known.has(one))) {
      docker("network", "rm", id);
      console.log(`removed network ${id.slice(0, 12)} on host ${host}, which was not noted`);
    }
  }
}

const [stack = "dev"] = process.argv.slice(2);
main(stack, JSON.parse(readFileSync(0, "utf8")) as State);
