import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { claim, keep, KEPT, remove, runs, sweep, type Run } from "./registry";
import { missingRequirements } from "./requirements";
import { runMaking } from "./run";
import { makeKey, SshClient } from "./sshClient";
import { type HostSettings, saveImage, TestHost } from "./testHost";

/** One host to make. */
export interface HostSpec {
  /** Name of the host. Defaults to `host1`, `host2`, … */
  name?: string;
  /** Whether it has a dockerd. Defaults to true; a bastion needs none. */
  docker?: boolean;
  /**
   * Whether its dockerd can make networks with IPv6, up to four, whose containers reach other
   * machines. Docker 27 and newer do so by themselves. Defaults to false.
   */
  dockerIpv6?: boolean;
  /**
   * Name of a host that is the only way in: new connections to any port from anywhere else are
   * dropped, as by a firewall. Connections that this host itself opens are let through. Defaults
   * to none.
   */
  behind?: string;
  /** Port of its sshd. Defaults to 22. */
  sshPort?: number;
  /** Size of its disk, as `truncate` takes it. Takes room as it fills. Defaults to `32G`. */
  diskSize?: string;
}

/** What hosts to make. */
export interface StartOptions {
  /** How many hosts. Defaults to the length of `hosts`; with both, `hosts` come first. */
  count?: number;
  /** What the hosts are, if not just alike. */
  hosts?: HostSpec[];
  /** Images of this machine's Docker that each host is to have. Defaults to none. */
  images?: string[];
  /**
   * Whether the hosts outlive this process, until somebody stops them. Defaults to false: they go
   * when it exits, and if it was killed, when hosts are started next.
   */
  keep?: boolean;
}

/**
 * Hosts on one network, each reached at its own address: `ssh://root@10.77.x.11` and so on. This
 * machine is at `10.77.x.1`.
 */
export class TestHosts {
  private stopped = false;

  private constructor(
    private readonly run: Run,
    /** The hosts, in the order in which they were named. */
    readonly hosts: TestHost[],
    /** Key and configuration with which the hosts are reached. */
    readonly client: SshClient,
  ) {}

  /** Makes hosts. If that fails, nothing is left behind. */
  static async start(options: StartOptions): Promise<TestHosts> {
    const specs = resolveSpecs(options);
    const missing = missingRequirements();
    if (missing.length > 0) {
      throw new Error(`test hosts can't be made here; missing:\n  ${missing.join("\n  ")}`);
    }
    await sweep();
    const run = claim();
    try {
      const hosts = await TestHosts.make(run, specs);
      await Promise.all(hosts.hosts.map((host) => host.powerOn()));
      for (const image of options.images ?? []) await hosts.loadImage(image);
      if (options.keep) keep(run);
      return hosts;
    } catch (error) {
      await remove(run);
      throw error;
    }
  }

  /** Removes what is left of hosts whose process was killed. */
  static async sweep(): Promise<void> {
    await sweep();
  }

  /** All hosts that stand on this machine now, those of other processes, too. */
  static standing(): TestHosts[] {
    return runs()
      .filter(({ folder }) => existsSync(join(folder, "hosts.json")))
      .map((run) => TestHosts.open(run));
  }

  /** The run's number: the third number of the hosts' addresses. */
  get number(): number {
    return this.run.number;
  }

  /** Whether they stay until somebody stops them; else they go with the process that made them. */
  get kept(): boolean {
    return this.run.owner === KEPT;
  }

  /** The bridge that all traffic between hosts crosses; packets can be captured on it. */
  get bridge(): string {
    return `iph${this.run.number}`;
  }

  /** This machine's address, as the hosts see it. */
  get gateway(): string {
    return `10.77.${this.run.number}.1`;
  }

  /** The host of that name. */
  host(name: string): TestHost {
    const found = this.hosts.find((host) => host.name === name);
    if (found) return found;
    throw new Error(`no host "${name}"; there is ${this.hosts.map(({ name }) => name).join(", ")}`);
  }

  /** Loads an image that this machine's own Docker has into every host's. */
  async loadImage(reference: string): Promise<void> {
    const archive = join(this.run.folder, "image.tar");
    await saveImage(reference, archive);
    const hosts = this.hosts.filter(({ settings }) => settings.docker);
    await Promise.all(hosts.map((host) => host.loadArchive(archive)));
    rmSync(archive);
  }

  /** Removes the hosts and all that was made for them. May be called again. */
  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    await remove(this.run);
  }

  // Writes down what the hosts are and makes their network.
  private static async make(claimed: Run, specs: ResolvedSpec[]): Promise<TestHosts> {
    const client = await SshClient.create(join(claimed.folder, "client"));
    const nameservers = readNameservers();
    const hasIpv6 = existsSync("/proc/net/if_inet6");
    const all: HostSettings[] = [];
    for (const [index, spec] of specs.entries()) {
      const folder = join(claimed.folder, spec.name);
      mkdirSync(folder);
      const key = join(folder, "ssh_host_ed25519_key");
      await makeKey(key, `root@${spec.name}`);
      const number = 11 + index;
      all.push({
        name: spec.name,
        id: `iph${claimed.number}-${index + 1}`,
        address: `10.77.${claimed.number}.${number}`,
        address6: hasIpv6 ? `fd77:0:0:${claimed.number}::${number}` : undefined,
        sshPort: spec.sshPort,
        hostKey: readFileSync(`${key}.pub`, "utf8").split(" ").slice(0, 2).join(" "),
        docker: spec.docker,
        behind: spec.behind,
        diskSize: spec.diskSize,
        folder,
      });
    }
    for (const [index, settings] of all.entries()) {
      const bastion = all.find(({ name }) => name === settings.behind);
      const daemon = {
        // Daemons side by side must not put containers into the same control group.
        "cgroup-parent": `/${settings.id}`,
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        ...(specs[index]?.dockerIpv6 ? DOCKER_IPV6 : {}),
      };
      const shell = {
        NAME: settings.name,
        ID: settings.id,
        BRIDGE: `iph${claimed.number}`,
        GATEWAY: `10.77.${claimed.number}.1`,
        ADDRESS: settings.address,
        IPV6: settings.address6 ?? "",
        // The same after a reboot, so that neighbours need not learn it anew.
        MAC: `02:77:00:00:${hex(claimed.number)}:${hex(index + 1)}`,
        SSH_PORT: settings.sshPort,
        DISK_SIZE: settings.diskSize,
        BASTION: bastion?.address ?? "",
        BASTION_IPV6: bastion?.address6 ?? "",
      };
      const assignments = Object.entries(shell).map(([name, value]) => `${name}=${value}\n`);
      writeFileSync(join(settings.folder, "settings"), assignments.join(""));
      writeFileSync(join(settings.folder, "daemon.json"), JSON.stringify(daemon));
      writeFileSync(join(settings.folder, "resolv.conf"), nameservers);
      writeFileSync(join(settings.folder, "authorized_keys"), `${client.publicKey}\n`);
    }
    const jump = (name?: string) => all.find((settings) => settings.name === name)?.address;
    client.write(all.map((settings) => ({ ...settings, jump: jump(settings.behind) })));
    writeFileSync(join(claimed.folder, "hosts.json"), JSON.stringify(all));
    await runMaking("network.sh", ["up", String(claimed.number)]);
    return TestHosts.open(claimed);
  }

  private static open(opened: Run): TestHosts {
    const client = SshClient.open(join(opened.folder, "client"));
    const text = readFileSync(join(opened.folder, "hosts.json"), "utf8");
    const hosts = (JSON.parse(text) as HostSettings[]).map(
      (settings) => new TestHost(settings, client),
    );
    return new TestHosts(opened, hosts, client);
  }
}

/** Settings by which Docker before 27 has what docs/several-machines.md tells of IPv6. */
const DOCKER_IPV6 = {
  experimental: true,
  ip6tables: true,
  "default-address-pools": [
    { base: "172.17.0.0/16", size: 20 },
    // Docker 20.10 finds only the first network of an IPv6 pool.
    ...[1, 2, 3, 4].map((number) => ({ base: `fd78:0:0:${number}::/64`, size: 64 })),
  ],
};

type ResolvedSpec = HostSpec & Required<Omit<HostSpec, "behind">>;

function resolveSpecs({ count, hosts = [] }: StartOptions): ResolvedSpec[] {
  const total = count ?? hosts.length;
  if (!Number.isInteger(total) || total < Math.max(1, hosts.length) || total > 200) {
    throw new Error(
      `count must be a whole number from ${Math.max(1, hosts.length)} to 200, not ${total}`,
    );
  }
  const specs = Array.from({ length: total }, (_, index) => ({
    name: `host${index + 1}`,
    docker: true,
    dockerIpv6: false,
    sshPort: 22,
    diskSize: "32G",
    ...hosts[index],
  }));
  for (const { name, behind } of specs) {
    if (!/^[a-z][a-z0-9-]*$/.test(name) || name === "client") {
      throw new Error(
        `a host's name is small letters, digits and hyphens, and not "client": "${name}"`,
      );
    }
    if (specs.filter((spec) => spec.name === name).length > 1) {
      throw new Error(`two hosts have the name "${name}"`);
    }
    if (behind && (behind === name || !specs.some((spec) => spec.name === behind))) {
      throw new Error(`${name} is behind "${behind}", which is no other host`);
    }
  }
  return specs;
}

// A name server on a loopback address answers this machine only; its own sources are used then.
function readNameservers(): string {
  const files = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"].filter(existsSync);
  for (const file of files) {
    const lines = readFileSync(file, "utf8").split("\n");
    const reachable = lines.filter(
      (line) => /^nameserver /.test(line) && !/ (127\.|::1)/.test(line),
    );
    if (reachable.length > 0) return `${reachable.join("\n")}\n`;
  }
  return "";
}

function hex(value: number): string {
  return value.toString(16).padStart(2, "0");
}
