import { existsSync, readFileSync } from "node:fs";

import * as pulumi from "@pulumi/pulumi";

import { Cluster } from "./components";
import { ConfigError, parseCluster } from "./config/parse";

/** The base image that set-up made because none could be pulled; see tools/setup. */
const BASE_IMAGE_FILE = ".local/base-image";

/** The stack's configuration; a mistake in it ends the program with its message alone. */
function configuration() {
  try {
    return parseCluster(new pulumi.Config().getObject("cluster"));
  } catch (error) {
    throw error instanceof ConfigError ? new pulumi.RunError(error.message) : error;
  }
}

function main() {
  const { controller, ...cluster } = configuration();
  const localBaseImage = existsSync(BASE_IMAGE_FILE)
    ? readFileSync(BASE_IMAGE_FILE, "utf8").trim()
    : undefined;
  return new Cluster(pulumi.getStack(), {
    baseImage: localBaseImage,
    ...cluster,
    controllerHost: controller?.host,
    basePort: controller?.basePort,
    heartbeatPeriod: controller?.heartbeatPeriod,
    heartbeatTimeout: controller?.heartbeatTimeout,
    imageContext: "docker",
  });
}

const cluster = main();

export const engines = cluster.engines;
export const connect = pulumi.interpolate`ipyparallel.Client(profile="${cluster.profile}")`;
