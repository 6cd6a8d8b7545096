// The package: one component, and the types of what it takes and gives. Every class that is exported
// here is a component for programs in other languages too.
export type { ContainerOptions, MountArgs, UlimitArgs } from "./lib/container";
export type { BastionArgs, HostArgs } from "./lib/hosts";
export type { FirewallRules, PortRule } from "./lib/portPlan";
export type { EngineInfo } from "./readiness";
export type { ImageArgs } from "./workerImage";
export { Cluster, type ClusterArgs, type RegistryArgs, type WorkerSpec } from "./cluster";
