import { readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { eventually, run, runMaking, script } from "./run";
import type { SshClient } from "./sshClient";

/** What a host is; settled when it is made. */
export interface HostSettings {
  /** Name, also the host's own host name. */
  name: string;
  /** Name of its network namespace and of the link into it, on the machine that runs it. */
  id: string;
  /** IPv4 address. */
  address: string;
  /** IPv6 address; none if this machine has no IPv6. */
  address6?: string;
  /** Port of its sshd. */
  sshPort: number;
  /** Public host key, without an address: `ssh-ed25519 AAAA…`. */
  hostKey: string;
  /** Whether it has a dockerd. */
  docker: boolean;
  /** Name of the bastion that is the only way in; none if the host is open to all. */
  behind?: string;
  /** Size of its disk, as `truncate` takes it. */
  diskSize: string;
  /** Folder of its files: disk, log, settings. */
  folder: string;
}

/** What there is on a host, in sorted lists, so that two of them can be compared. */
export interface Inventory {
  /** Names of all containers, running or not. */
  containers: string[];
  /** Names of all networks. */
  networks: string[];
  /** Names of all volumes. */
  volumes: string[];
  /** All images, intermediate ones too: tag (or `<none>:<none>`) and id. */
  images: string[];
  /** All files that differ from a fresh system, with a digest; not Docker's data, not logs. */
  files: string[];
}

/** A user on a host. */
export interface HostUser {
  name: string;
  /** Docker endpoint as that user. */
  dockerUrl: string;
}

/** Writes an image that this machine's own Docker has to a file. */
export async function saveImage(reference: string, path: string): Promise<void> {
  await run("docker", ["save", "--output", path, reference]);
}

/** One host: a network namespace with its own address, root file system, sshd and dockerd. */
export class TestHost {
  readonly name: string;
  readonly address: string;
  readonly address6?: string;
  readonly sshPort: number;
  readonly hostKey: string;

  constructor(
    /** What the host is. */
    readonly settings: HostSettings,
    private readonly client: SshClient,
  ) {
    this.name = settings.name;
    this.address = settings.address;
    this.address6 = settings.address6;
    this.sshPort = settings.sshPort;
    this.hostKey = settings.hostKey;
  }

  /** Docker endpoint, as root: `ssh://root@10.77.1.11`, with the port if it is not 22. */
  get dockerUrl(): string {
    return this.urlAs("root");
  }

  /** As {@link dockerUrl}, by IPv6. */
  get dockerUrl6(): string {
    if (!this.address6)
      throw new Error(`${this.name} has no IPv6 address: this machine has no IPv6`);
    return this.urlAs("root", `[${this.address6}]`);
  }

  /** Turns the host on and waits until its sshd and dockerd answer. */
  async powerOn(): Promise<void> {
    await runMaking("host.sh", ["on", this.settings.folder]).catch((error: Error) => {
      throw new Error(`${this.name} does not start: ${error.message}\n${this.log()}`);
    });
    if (this.settings.docker) await this.startDockerd();
  }

  /**
   * Pulls the plug: link, processes and containers are gone at once, and no peer is told. The disk
   * stays as it was.
   */
  async powerOff(): Promise<void> {
    await run(script("host.sh"), ["off", this.settings.id]);
  }

  /** Pulls the plug and turns the host on again, so many seconds later. */
  async reboot(seconds = 0): Promise<void> {
    await this.powerOff();
    await setTimeout(seconds * 1000);
    await this.powerOn();
  }

  /** Cuts the host off the network. Its processes run on. */
  async cutLink(): Promise<void> {
    await run("ip", ["link", "set", this.settings.id, "down"]);
  }

  /** Brings a link back that was cut. */
  async restoreLink(): Promise<void> {
    await run("ip", ["link", "set", this.settings.id, "up"]);
  }

  /** Starts dockerd and waits until it answers. */
  async startDockerd(): Promise<void> {
    const log = "/var/log/dockerd.log";
    await this.exec(`ulimit -n "$(ulimit -Hn)"; setsid dockerd >>${log} 2>&1 </dev/null &`);
    await eventually(60, () => this.ping()).catch(async (error: Error) => {
      const end = await this.exec(`tail -n 20 ${log}`).catch(() => "");
      throw new Error(`dockerd of ${this.name} does not answer (${error.message}):\n${end}`);
    });
  }

  /** Stops dockerd as `systemctl stop docker` does, its containers with it. */
  async stopDockerd(): Promise<void> {
    await this.endDockerd("TERM");
  }

  /** Ends dockerd without notice (SIGKILL); containers run on. It stays dead until started. */
  async killDockerd(): Promise<void> {
    await this.endDockerd("KILL");
  }

  /**
   * Runs a shell command on the host, as root, and gives what it printed. Needs no network: works
   * while the link is cut. For a command by way of the network, see {@link ssh}.
   */
  exec(command: string, options: { input?: string } = {}): Promise<string> {
    const env = [
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      ...["HOME=/root", "LANG=C.UTF-8", "USER=root"],
    ];
    const enter = ["--target", this.pid(), "--all", "--wd=/root", "env", "-i", ...env];
    return run("nsenter", [...enter, "bash", "-c", command], options);
  }

  /** Runs a shell command on the host over SSH and gives what it printed. */
  ssh(command: string, user = "root"): Promise<string> {
    return run("ssh", [...this.client.sshOpts, `${user}@${this.address}`, command]);
  }

  /** Runs `docker` against this host's dockerd and gives what it printed. Needs no network. */
  docker(...args: string[]): Promise<string> {
    return run("docker", ["-H", `unix://${this.socket()}`, ...args]);
  }

  /** Runs `docker` against this host's dockerd over SSH and gives what it printed. */
  dockerOverSsh(...args: string[]): Promise<string> {
    return run("docker", ["-H", this.dockerUrl, ...args], { env: this.client.env });
  }

  /** Loads an image that this machine's own Docker has. */
  async loadImage(reference: string): Promise<void> {
    const archive = join(this.settings.folder, "image.tar");
    await saveImage(reference, archive);
    await this.loadArchive(archive);
    await run("rm", [archive]);
  }

  /** Loads images from a file that `docker save` made. */
  async loadArchive(path: string): Promise<void> {
    const args = ["-H", `unix://${this.socket()}`, "load", "--quiet"];
    await run("docker", args, { inputFile: path });
  }

  /** Adds a user whom the client's key lets in. */
  async addUser(name: string, options: { dockerGroup?: boolean } = {}): Promise<HostUser> {
    const groups = options.dockerGroup ? "--groups docker" : "";
    await this.exec(`set -e
      useradd --create-home --shell /bin/bash ${groups} '${name}'
      install -d -m 0700 -o '${name}' -g '${name}' /home/'${name}'/.ssh
      install -m 0600 -o '${name}' -g '${name}' /root/.ssh/authorized_keys /home/'${name}'/.ssh`);
    return { name, dockerUrl: this.urlAs(name) };
  }

  /** What there is on the host now. */
  async inventory(): Promise<Inventory> {
    const docker = (...args: string[]) => (this.settings.docker ? this.docker(...args) : "");
    const [containers, networks, volumes, images, files] = await Promise.all([
      docker("ps", "--all", "--format", "{{.Names}}"),
      docker("network", "ls", "--format", "{{.Name}}"),
      docker("volume", "ls", "--format", "{{.Name}}"),
      docker("images", "--all", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"),
      this.exec("bash -s", { input: readFileSync(script("inventory.sh"), "utf8") }),
    ]);
    return {
      containers: lines(containers),
      networks: lines(networks),
      volumes: lines(volumes),
      images: lines(images),
      files: lines(files),
    };
  }

  /**
   * Numbers, on this machine, of all processes of the host, those in its containers included; the
   * first process comes first.
   */
  async processes(): Promise<string[]> {
    const pairs = lines(await run("ps", ["-e", "-o", "pid=,ppid="]));
    const found = [this.pid()];
    for (const parent of found) {
      for (const pair of pairs) {
        const [pid, ppid] = pair.trim().split(/\s+/);
        if (pid && ppid === parent) found.push(pid);
      }
    }
    return found;
  }

  private urlAs(user: string, address = this.address): string {
    return `ssh://${user}@${address}${this.sshPort === 22 ? "" : `:${this.sshPort}`}`;
  }

  private async endDockerd(signal: "TERM" | "KILL"): Promise<void> {
    // A stop gives containers ten seconds each, side by side.
    await this.exec(`pid=$(cat /run/docker.pid) && kill -${signal} "$pid"
      for _ in {1..600}; do [ -d "/proc/$pid" ] || exit 0; sleep 0.05; done
      echo "dockerd did not end" >&2; exit 1`);
  }

  // The host's first process, as numbered by this machine.
  private pid(): string {
    return readFileSync(join(this.settings.folder, "pid"), "utf8").trim();
  }

  private socket(): string {
    return `/proc/${this.pid()}/root/run/docker.sock`;
  }

  private ping(): Promise<void> {
    return new Promise((resolve, reject) => {
      const answer = request({ socketPath: this.socket(), path: "/_ping" }, (response) => {
        response.resume();
        if (response.statusCode === 200) resolve();
        else reject(new Error(`/_ping answered ${response.statusCode}`));
      });
      answer.on("error", reject).end();
    });
  }

  // What the scripts wrote while the host started.
  private log(): string {
    return readFileSync(join(this.settings.folder, "log"), "utf8").trim();
  }
}

function lines(text: string): string[] {
  return text.split("\n").filter(Boolean).sort();
}
