import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { environment } from "./run";

/** The commands that hosts are made of, and the Debian package of each. */
const PACKAGES: Record<string, string> = {
  bash: "bash",
  ip: "iproute2",
  iptables: "iptables",
  flock: "util-linux",
  losetup: "mount",
  mount: "mount",
  nsenter: "util-linux",
  pivot_root: "util-linux",
  setsid: "util-linux",
  unshare: "util-linux",
  "mkfs.ext4": "e2fsprogs",
  ps: "procps",
  useradd: "passwd",
  sshd: "openssh-server",
  ssh: "openssh-client",
  "ssh-keygen": "openssh-client",
  docker: "docker.io",
  dockerd: "docker.io",
  containerd: "containerd",
  runc: "runc",
};

/** What is missing to make hosts here, a line each; empty if nothing is. */
export function missingRequirements(): string[] {
  if (process.platform !== "linux") return [`Linux (this is ${process.platform})`];
  const missing: string[] = [];
  if (process.getuid?.() !== 0) missing.push(`root (this is user ${process.getuid?.()})`);
  const folders = environment().PATH?.split(":") ?? [];
  for (const [command, debianPackage] of Object.entries(PACKAGES)) {
    if (!folders.some((folder) => isExecutable(join(folder, command)))) {
      missing.push(`the command ${command} (apt-get install ${debianPackage})`);
    }
  }
  if (!existsSync("/dev/loop-control")) missing.push("loop devices (/dev/loop-control)");
  if (!existsSync("/sys/fs/cgroup/memory") && !existsSync("/sys/fs/cgroup/cgroup.controllers")) {
    missing.push("control groups, mounted at /sys/fs/cgroup");
  }
  if (readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim() !== "1") {
    missing.push("forwarding (sysctl -w net.ipv4.ip_forward=1; a running dockerd sets it)");
  }
  return missing;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
