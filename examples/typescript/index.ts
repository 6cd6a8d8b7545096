import * as pulumi from "@pulumi/pulumi";
import { Cluster } from "ipyparallel";

const config = new pulumi.Config();

const cluster = new Cluster(pulumi.getStack(), {
  baseImage: config.get("baseImage"),
  workers: [
    { name: "w1", engines: config.getNumber("engines") ?? 1 },
    { name: "w2", memoryMiB: 512, threads: 1 },
  ],
});

export const engines = cluster.engines.apply((all) => all.map(({ ident }) => ident));
export const profile = cluster.profile;
