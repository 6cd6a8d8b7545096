import { lookup } from "node:dns/promises";
import { connect } from "node:net";

import { isLoopback } from "../components/lib/hosts";
import type { ClusterPlan } from "../components/lib/plan";
import type { PortRule } from "../components/lib/portPlan";

/** Ports that this machine connects to and can't reach. */
export interface UnreachedPorts extends Pick<PortRule, "part" | "purpose" | "from" | "to"> {
  /** Why, such as `no answer within 4 s`. */
  reason: string;
}

/** Milliseconds until a port that does not answer counts as closed by a firewall. */
const CONNECT_TIMEOUT = 4_000;

/** What is to be done where ports can't be reached. */
export const OPEN_PORTS =
  "open the ports that docs/several-machines.md lists under Who connects to whom";

/**
 * Ports of a host that this machine connects to, for clients or for Pulumi, and can't reach. A port
 * that refuses is open: nothing listens there yet. What is behind a bastion, or on this machine, is
 * not tried.
 */
export async function unreachedPorts(plan: ClusterPlan, host: string): Promise<UnreachedPorts[]> {
  const { address, bastion } = plan.host(host);
  if (bastion !== undefined || isLoopback(address)) {
    return [];
  }
  const rules = plan.portRules.filter(
    (rule) => rule.host === host && /\b(clients|pulumi)\b/.test(rule.peers),
  );
  const found = await lookup(address).catch((error: unknown) => error as Error);
  if (found instanceof Error) {
    const reason = `this machine can't resolve the name ${address}`;
    return rules.slice(0, 1).map((rule) => ({ ...portsOf(rule), reason }));
  }
  const tried = rules.map(async (rule): Promise<UnreachedPorts[]> => {
    const ports = Array.from({ length: rule.to - rule.from + 1 }, (_, index) => rule.from + index);
    const reasons = await Promise.all(ports.map((port) => whyClosed(found.address, port)));
    const reason = reasons.find((one) => one !== undefined);
    return reason === undefined ? [] : [{ ...portsOf(rule), reason }];
  });
  return (await Promise.all(tried)).flat();
}

function portsOf({ part, purpose, from, to }: PortRule): Omit<UnreachedPorts, "reason"> {
  return { part, purpose, from, to };
}

/** Why a port can't be reached; undefined if it can. */
function whyClosed(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT });
    const end = (reason?: string) => {
      socket.destroy();
      resolve(reason);
    };
    socket.on("connect", () => {
      end();
    });
    socket.on("timeout", () => {
      end(`no answer within ${String(CONNECT_TIMEOUT / 1000)} s`);
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      end(error.code === "ECONNREFUSED" ? undefined : (error.code ?? error.message));
    });
  });
}

/** Ports in words: `21234 (w1, SSH), 30009-30014 (controller, clients)`. */
export function portList(ports: UnreachedPorts[]): string {
  const words = ports.map(
    ({ part, purpose, from, to }) =>
      `${from === to ? String(from) : `${String(from)}-${String(to)}`} (${part}, ${purpose})`,
  );
  const more = words.length > 3 ? [`${String(words.length - 3)} more`] : [];
  return [...words.slice(0, 3), ...more].join(", ");
}
