import type { Host } from "./hosts";
import { CONTROLLER } from "./names";
import type { PlannedWorker } from "./plan";
import type { ControllerPorts } from "./ports";

/** One port, or some in a row, that a cluster listens on. */
export interface PortRule {
  /** Name of the host. */
  host: string;
  /** Address of the host that they listen on. */
  address: string;
  /** The first port. */
  from: number;
  /** The last port. */
  to: number;
  /** The controller or the worker that listens. */
  part: string;
  /** What they are for. */
  purpose: string;
  /** Who connects: `clients`, `pulumi`, or names of hosts, separated by commas. */
  peers: string;
}

/** The ports of one host as rules of a firewall. */
export interface FirewallRules {
  /** `ufw` commands, a line each. */
  ufw: string;
  /** Rules for `nft -f`, to come before those of Debian's table `inet filter`. */
  nft: string;
}

/** All ports that a cluster publishes; nothing else of it listens on a host. */
export function portRules(cluster: {
  controllerHost: string;
  ports: ControllerPorts;
  workers: PlannedWorker[];
  host: (name: string) => Host;
}): PortRule[] {
  const { controllerHost, ports, workers, host } = cluster;
  const others = [...new Set(workers.map((worker) => worker.host))].filter(
    (name) => name !== controllerHost,
  );
  const rule = (part: string, on: string, row: number[], purpose: string, peers: string) => ({
    host: on,
    address: host(on).bind,
    from: row[0] as number,
    to: row.at(-1) as number,
    part,
    purpose,
    peers,
  });
  const [registration, ...engine] = ports.engine;
  return [
    rule(
      CONTROLLER,
      controllerHost,
      [registration as number],
      "registration",
      ["clients", ...others].join(", "),
    ),
    ...(others.length === 0
      ? []
      : [rule(CONTROLLER, controllerHost, engine, "engines", others.join(", "))]),
    rule(CONTROLLER, controllerHost, ports.client, "clients", "clients"),
    rule(CONTROLLER, controllerHost, [ports.ssh], "SSH", "pulumi"),
    ...workers.map((worker) => rule(worker.name, worker.host, [worker.sshPort], "SSH", "pulumi")),
  ];
}

/**
 * A cluster's ports as rules of a firewall, for each host.
 *
 * They let in from anywhere what the cluster listens on; put the addresses of those who connect in
 * place of `any`, or add `ip saddr`, where they are known.
 *
 * The nft rules are for Debian's own table, `inet filter`, and come before what is there: another
 * table could not let in what this one drops. Docker passes what is published on to containers,
 * so that a port as it was dialled has to be let through `forward` as well as in by `input`.
 */
export function firewallRules(rules: PortRule[]): Record<string, FirewallRules> {
  const hosts = [...new Set(rules.map(({ host }) => host))];
  return Object.fromEntries(
    hosts.map((host) => {
      const own = rules.filter((rule) => rule.host === host);
      return [
        host,
        {
          ufw: own.map(ufwRule).join("\n"),
          nft: [
            "add table inet filter",
            "add chain inet filter input",
            "add chain inet filter forward",
            ...own.flatMap(nftRules),
          ].join("\n"),
        },
      ];
    }),
  );
}

function isAny(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

function ufwRule({ address, from, to, part, purpose }: PortRule): string {
  const target = isAny(address) ? "any" : address;
  const ports = from === to ? String(from) : `${String(from)}:${String(to)}`;
  return `ufw allow proto tcp from any to ${target} port ${ports} comment '${part} ${purpose}'`;
}

function nftRules({ address, from, to, part, purpose }: PortRule): string[] {
  const family = address.includes(":") ? "ip6" : "ip";
  const ports = from === to ? String(from) : `${String(from)}-${String(to)}`;
  const accept = `accept comment "${part} ${purpose}"`;
  const dialled = isAny(address) ? "" : `${family} daddr ${address} `;
  return [
    `insert rule inet filter input ${dialled}tcp dport ${ports} ${accept}`,
    `insert rule inet filter forward meta l4proto tcp ${dialled && `ct original ${dialled}`}` +
      `ct original proto-dst ${ports} ${accept}`,
  ];
}
