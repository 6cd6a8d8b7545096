import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { environment, run } from "./run";

/** What a client must know of a host to reach it. */
export interface Destination {
  name: string;
  address: string;
  address6?: string;
  sshPort: number;
  hostKey: string;
  /** The address of the host to go through, if this one can't be reached without. */
  jump?: string;
}

/**
 * The client's side of SSH: a key, the hosts' keys and a configuration, all in one folder. Nothing
 * of the user's own `~/.ssh` is read or written.
 */
export class SshClient {
  /** Private key, accepted by every host. */
  readonly identityFile: string;
  /** Public half of the key, as a line of `authorized_keys`. */
  readonly publicKey: string;
  /** Keys of all hosts. */
  readonly knownHosts: string;
  /**
   * Configuration for `ssh -F`: the key, the known hosts (an unknown one is refused), no questions
   * asked, ports, and the bastion where a host has one. Hosts also go by their names.
   */
  readonly config: string;
  /** A folder with an `ssh` that reads {@link config}, to put first on a PATH. */
  readonly commands: string;

  private constructor(folder: string) {
    this.identityFile = join(folder, "id_ed25519");
    this.publicKey = readFileSync(`${this.identityFile}.pub`, "utf8").trim();
    this.knownHosts = join(folder, "known_hosts");
    this.config = join(folder, "config");
    this.commands = join(folder, "commands");
  }

  /** Makes a client in a folder, which is made, too. */
  static async create(folder: string): Promise<SshClient> {
    mkdirSync(join(folder, "commands"), { recursive: true });
    await makeKey(join(folder, "id_ed25519"), "test-hosts-client");
    return new SshClient(folder);
  }

  /** The client that was made in a folder. */
  static open(folder: string): SshClient {
    return new SshClient(folder);
  }

  /** The private key itself. */
  get privateKey(): string {
    return readFileSync(this.identityFile, "utf8");
  }

  /** For `sshOpts` of a Docker provider, and for `ssh` itself. */
  get sshOpts(): string[] {
    return ["-F", this.config];
  }

  /**
   * Environment for programs that run `ssh` without a way to give it options, such as
   * `docker -H ssh://…`: its PATH begins with {@link commands}.
   */
  get env(): NodeJS.ProcessEnv {
    const env = environment();
    return { ...env, PATH: `${this.commands}:${env.PATH}` };
  }

  /** Writes down what hosts there are. */
  write(destinations: Destination[]): void {
    writeFileSync(this.knownHosts, destinations.map(knownHostsLine).join(""));
    writeFileSync(this.config, destinations.map(configBlock).join("") + this.commonBlock());
    const ssh = join(this.commands, "ssh");
    writeFileSync(ssh, `#!/bin/sh\nexec /usr/bin/ssh -F '${this.config}' "$@"\n`);
    chmodSync(ssh, 0o755);
  }

  private commonBlock(): string {
    return `Host *
  IdentityFile ${this.identityFile}
  IdentitiesOnly yes
  UserKnownHostsFile ${this.knownHosts}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
  ConnectTimeout 10
`;
  }
}

/** Makes an Ed25519 key pair: the private key in `path`, the public one beside it, in `path`.pub. */
export async function makeKey(path: string, comment: string): Promise<void> {
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path]);
}

function knownHostsLine({ address, address6, sshPort, hostKey }: Destination): string {
  const addresses = address6 ? [address, address6] : [address];
  const names = sshPort === 22 ? addresses : addresses.map((each) => `[${each}]:${sshPort}`);
  return `${names.join(",")} ${hostKey}\n`;
}

function configBlock({ name, address, address6, sshPort, jump }: Destination): string {
  const lines = [`Host ${[name, address, address6].filter(Boolean).join(" ")}`];
  lines.push(`  Port ${sshPort}`);
  if (jump) lines.push(`  ProxyJump root@${jump}`);
  return `${lines.join("\n")}\nHost ${name}\n  HostName ${address}\n`;
}
