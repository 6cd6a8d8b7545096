// Ends a run of Pulumi whose owner was killed: `guard.mjs OWNER PULUMI [EVENTS]`, two PIDs and the
// pipe of the log of events.
//
// It begins when the owner is gone (see foreground.mjs). Pulumi may end what is under way; then all
// that is left of the run is killed. What is not read of the log of events would block Pulumi.
import { constants, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { dirname } from "node:path";
import { CANCEL_MS, removeLeftovers, runProcesses, signal, waitUntil } from "./runs.mjs";

const [owner, pulumi] = process.argv.slice(2, 4).map(Number);
const [, , , , events] = process.argv;

if (events !== undefined) drain(events);
const runs = () => runProcesses().some((one) => one.owner === owner && one.pid === pulumi);
if (runs()) signal(pulumi, "SIGTERM");
await waitUntil(() => !runs(), CANCEL_MS);
await removeLeftovers(owner, pulumi);
if (events !== undefined) rmSync(dirname(events), { recursive: true, force: true });
process.exit();

function drain(path) {
  try {
    const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    new Socket({ fd }).on("error", () => {}).resume();
  } catch {
    // It has been removed: the owner was at its end.
  }
}
