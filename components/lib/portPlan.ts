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
  /** A table for `nft -f`. */
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
 * Both let in from anywhere what the cluster listens on; replace `any` and add `ip saddr` where the
 * machines that clients and Pulumi run on are known. Rules for an address are for that alone.
 */
export function firewallRules(rules: PortRule[]): Record<string, FirewallRules> {
  const hosts = [...new Set(rules.map(({ host }) => host))];
  return Object.fromEntries(
    hosts.map((host) => {
      const own = rules.filter((rule) => rule.host === host);
      const lines = own.map(({ address, from, to, part, purpose }) => {
        const any = address === "0.0.0.0" || address === "::";
        const family = address.includes(":") ? "ip6" : "ip";
        const comment = `${part} ${purpose}`;
        return {
          ufw:
            `ufw allow proto tcp from any to ${any ? "any" : address} ` +
            `port ${from === to ? String(from) : `${String(from)}:${String(to)}`} comment '${comment}'`,
          nft:
            `    ${any ? "" : `${family} daddr ${address} `}tcp dport ` +
            `${from === to ? String(from) : `${String(from)}-${String(to)}`} accept comment "${comment}"`,
        };
      });
      return [
        host,
        {
          ufw: lines.map(({ ufw }) => ufw).join("\n"),
          nft: [
            "table inet ipyparallel {",
            "  chain input {",
            "    type filter hook input priority filter; policy accept;",
            ...lines.map(({ nft }) => nft),
            "  }",
            "}",
          ].join("\n"),
        },
      ];
    }),
  );
}
