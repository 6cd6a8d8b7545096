// `npm run soak [-- --seconds N] [--seed N] [--cut SECONDS]`: a cluster on test hosts, and faults at
// random; with --cut, one whose link is cut for so long comes first.
import { parseArgs } from "node:util";

import { cutLink, recovery, timing } from "./faults";
import { HostCluster } from "./hostCluster";
import { soak } from "./soak";

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { seconds: { type: "string" }, seed: { type: "string" }, cut: { type: "string" } },
  });
  const cluster = await HostCluster.start("test-soak");
  try {
    const seed = Number(values.seed ?? Date.now() % 1_000_000);
    if (values.cut !== undefined) {
      const cut = cutLink(Number(values.cut));
      console.log(timing(cut.name, await recovery(cluster, cut), cut.allowed));
    }
    const wrong = await soak(cluster, Number(values.seconds ?? 600), seed, console.log);
    console.log(wrong.length === 0 ? "all is well" : wrong.map((line) => `! ${line}`).join("\n"));
    return wrong.length === 0 ? 0 : 1;
  } finally {
    await cluster.stop();
  }
}

main().then(
  (status) => process.exit(status),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
