// `npm run hello`: has every engine of a cluster say hello, or says what is down and what to do. It also
// warns of what does not fit between this client and the engines.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

import { CONTROLLER } from "../components/lib/names";
import { planFromStackFile } from "../config/stackFile";
import { clonesBackend, readState } from "../config/stackState";
import { client } from "./client";
import { findCluster } from "./status";

const CLIENT = ".local/venv";
const PYTHON = `${CLIENT}/bin/python`;

/** The exit status of hello.py where the cluster does not answer. */
const DOWN = 3;

/**
 * Has every engine of a stack say hello; resolves to the exit status.
 *
 * @throws Mistake if there is no such stack file, or if it has mistakes.
 */
export async function hello(stack: string): Promise<number> {
  planFromStackFile(stack); // first of all, there must be such a file
  const plan = planFromStackFile(stack, (await readState(stack, clonesBackend())).cluster);
  if (!existsSync(PYTHON)) {
    console.error(`error: ${PYTHON} is missing: run npm run setup`);
    return 1;
  }
  const args = ["-W", "ignore", "tools/hello.py", plan.profile];
  const { status, stderr } = spawnSync(PYTHON, plan.dialsIpv6 ? [...args, "--ipv6"] : args, {
    encoding: "utf8",
    stdio: ["ignore", "inherit", "pipe"],
  });
  if (status !== DOWN) {
    process.stderr.write(stderr);
    client(stack, CLIENT, { warn: true });
    return status ?? 1;
  }
  const { controller, missing } = (await findCluster(stack)).status;
  const verb = (name: string) => `npm run ${name}${stack === "dev" ? "" : ` -- -s ${stack}`}`;
  const because = missing.find((line) => line.startsWith(`${CONTROLLER}:`)) ?? missing[0];
  console.error(
    `error: cluster ${stack}: ${stderr.trim()}; ` +
      (controller.container === "missing"
        ? `it is not up: run ${verb("up")}`
        : because === undefined
          ? `run ${verb("up")}, which writes the profile again`
          : `${because}; ${verb("status")} reports all that is missing`),
  );
  return 1;
}
