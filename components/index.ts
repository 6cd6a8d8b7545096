// What programs in other languages get as well: one component, and no more than it takes. Types come
// first, since Pulumi's analyzer reads their comments only until it has found every component.
export type { ContainerOptions, MountArgs, UlimitArgs } from "./lib/container";
export type { BastionArgs, HostArgs } from "./lib/hosts";
export type { FirewallRules, PortRule } from "./lib/portPlan";
export type { EngineInfo } from "./readiness";
export type { ImageArgs } from "./workerImage";
export { Cluster, type ClusterArgs, type RegistryArgs, type WorkerSpec } from "./cluster";
