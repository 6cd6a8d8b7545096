export { Cluster, type ClusterArgs, type WorkerSpec } from "./cluster";
export { ControllerProfile, type ControllerProfileArgs } from "./controllerProfile";
export { Engines, type EnginesArgs } from "./engines";
export { Keys } from "./keys";
export type { HostArgs } from "./lib/hosts";
export { type EngineInfo, Readiness, type ReadinessArgs } from "./readiness";
export { Worker, type WorkerArgs } from "./worker";
export { WorkerImage, type WorkerImageArgs } from "./workerImage";
