import { CLUSTER_LABEL, CONTROLLER, OWNER_LABEL } from "../components/lib/names";
import type { ClusterPlan } from "../components/lib/plan";
import type { Probe } from "./preflight";

/** What is no longer as declared, and is to be repaired. */
export interface Drift {
  /** Why containers are to be replaced, by the names of their parts. */
  containers: Record<string, string>;
  /** Why engines, or ipcontroller, are to be set up again, by the names of their parts. */
  engines: Record<string, string>;
  /** Why the profile on this machine is to be written again. */
  profile?: string;
  /** The same as lines for people. */
  messages: string[];
}

/**
 * What is no longer as declared on the hosts of a cluster. What is missing altogether is not told
 * here: a refresh finds it.
 *
 * @param profile what of the profile on this machine is not as it was written.
 */
export function findDrift(plan: ClusterPlan, probes: Map<string, Probe>, profile?: string): Drift {
  const drift: Drift = { containers: {}, engines: {}, messages: [] };
  const parts = [
    { name: CONTROLLER, host: plan.controllerHost },
    ...plan.workers.map(({ name, host }) => ({ name, host })),
  ];
  for (const { name, host } of parts) {
    const part = probes.get(host)?.parts.get(name);
    const title = name === CONTROLLER ? CONTROLLER : `worker ${name}`;
    if (part === undefined) {
      continue;
    }
    if (part.state !== "running") {
      drift.containers[name] =
        `${part.state} since ${part.ended ?? "an unknown time"}, container ${part.id ?? "unknown"}`;
      drift.messages.push(`${title}: its container is ${part.state}; it is replaced`);
    }
    // What is declared is never 0, so that somebody must have turned them off there.
    const turnedOff = name !== CONTROLLER && part.status?.engines?.length === 0;
    const changes = [
      ...(part.status?.drift ?? []),
      ...(turnedOff && part.status?.applied != null ? ["its engines were turned off"] : []),
    ];
    if (changes.length > 0) {
      drift.engines[name] =
        `${changes.join("; ")} (after set-up ${part.status?.applied ?? "none"})`;
      drift.messages.push(`${title}: ${changes.join("; ")}; it is set up again`);
    }
  }
  if (profile !== undefined) {
    drift.profile = `${profile} at ${new Date().toISOString()}`;
    drift.messages.push(`${profile}; it is written again`);
  }
  return drift;
}

/**
 * What is left on hosts that are gone for good, should they ever return.
 *
 * @param owner the cluster's fingerprint, where there is one.
 */
export function abandonedNotes(plan: ClusterPlan, owner: string | undefined): string[] {
  const label =
    owner === undefined ? `label=${CLUSTER_LABEL}=${plan.name}` : `label=${OWNER_LABEL}=${owner}`;
  return plan.hosts
    .filter((host) => plan.host(host).abandoned === true)
    .map(
      (host) =>
        `host ${host} is abandoned: nothing there is touched. If it returns, clean up there with ` +
        `\`docker ps -aq --filter ${label} | xargs -r docker rm -fv; ` +
        `docker network ls -q --filter ${label} | xargs -r docker network rm; ` +
        `docker volume ls -q --filter ${label} | xargs -r docker volume rm\``,
    );
}
