export { type HostSpec, type StartOptions, TestHosts } from "./testHosts";
export { type HostUser, type Inventory, TestHost } from "./testHost";
export { SshClient } from "./sshClient";
export { missingRequirements } from "./requirements";
