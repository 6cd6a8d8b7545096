import { createHash } from "node:crypto";

import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { ControllerProfile } from "./controllerProfile";
import { Engines } from "./engines";
import { Keys } from "./keys";
import { type HostArgs, isLoopback, resolveHost } from "./lib/hosts";
import { deriveHostKey, deriveKeys } from "./lib/keys";
import { engineFile } from "./lib/connectionFiles";
import { CONTROLLER, dockerLabels, dockerName } from "./lib/names";
import { controllerPorts, defaultBasePort, workerSshPorts } from "./lib/ports";
import type { SshTarget } from "./lib/ssh";
import { type EngineInfo, Readiness } from "./readiness";
import { Worker } from "./worker";
import { WorkerImage } from "./workerImage";

/** One worker of a cluster: a container, and the engines in it. */
export interface WorkerSpec {
  /** Name, unique in the cluster; part of the engines' idents. A change replaces the worker. */
  name: string;
  /** Name of the host to run on. Defaults to the controller's. A change moves the container. */
  host?: string;
  /** Number of engines, at least 1. Defaults to 1. A change starts or ends just the difference. */
  engines?: number;
  /**
   * SSH port on the host, 1024 to 65535. Defaults to one from 20000 to 29999, derived from the
   * names of cluster and worker. A change replaces the container.
   */
  sshPort?: number;
  /** Environment variables of the engines. A change replaces the container. */
  env?: { [name: string]: string };
}

/** Arguments of {@link Cluster}. */
export interface ClusterArgs {
  /**
   * Name of the IPython profile on this machine by which clients find the cluster:
   * `Client(profile="…")`. Defaults to the cluster's name. A change moves the client file.
   */
  profile?: string;
  /**
   * Machines by name. Defaults to `local`, the Docker Engine at `/var/run/docker.sock`.
   */
  hosts?: { [name: string]: HostArgs };
  /** Name of the host that the controller runs on. Defaults to the first one. */
  controllerHost?: string;
  /**
   * First of the controller's 19 ports, 1024 to 65517. Defaults to one from 30000 to 32698,
   * derived from the cluster's name. A change replaces the controller's container and restarts
   * all engines.
   */
  basePort?: number;
  /**
   * Milliseconds between two heartbeats of the engines, 50 to 10000. An engine's registration
   * completes on one, so a longer period makes a slower start; a shorter one costs the controller
   * time. Defaults to 500. A change restarts controller and engines.
   */
  heartbeatPeriod?: number;
  /**
   * Seconds without a heartbeat after which an engine counts as lost, 2 to 600. Defaults to 10.
   * A change restarts controller and engines.
   */
  heartbeatTimeout?: number;
  /** Folder with the Dockerfile of workers and controller. A changed file replaces containers. */
  imageContext: string;
  /**
   * Image that the Dockerfile begins from. Defaults to `python:3.11-slim-bookworm`. A change
   * replaces all containers.
   */
  baseImage?: string;
  /** Number of times that all keys were replaced: raise it by one to replace them. Defaults to 0. */
  keyGeneration?: number;
  /** Python modules that every engine must be able to import before it counts as ready. */
  imports?: string[];
  /** Seconds that engines have to register, 5 to 3600. Defaults to 60. */
  timeout?: number;
  /** The workers. */
  workers: WorkerSpec[];
}

/** The host that is there when a cluster names none. */
export const DEFAULT_HOSTS: { [name: string]: HostArgs } = {
  local: { docker: "unix:///var/run/docker.sock" },
};

/** Defaults of {@link ClusterArgs}. */
export const DEFAULTS = {
  heartbeatPeriod: 500,
  heartbeatTimeout: 10,
  baseImage: "python:3.11-slim-bookworm",
  keyGeneration: 0,
  timeout: 60,
  engines: 1,
};

/** An ipyparallel cluster: a controller, workers, and the engines in them, ready to be used. */
export class Cluster extends pulumi.ComponentResource {
  /** Every engine that registered and answered when the cluster was last changed. */
  public readonly engines: pulumi.Output<EngineInfo[]>;
  /** Name of the IPython profile for `Client(profile="…")`. */
  public readonly profile: pulumi.Output<string>;

  constructor(name: string, args: ClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("ipyparallel:index:Cluster", name, {}, opts);
    const given = Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined));
    const settings = { hosts: DEFAULT_HOSTS, profile: name, ...DEFAULTS, ...given, ...{} } as typeof DEFAULTS &
      Required<Pick<ClusterArgs, "hosts" | "profile">> &
      ClusterArgs;

    const hostNames = Object.keys(settings.hosts);
    const controllerHost = settings.controllerHost ?? (hostNames[0] as string);
    const hosts = new Map(hostNames.map((host) => [host, resolveHost(settings.hosts[host] as HostArgs)]));
    const hostOf = (host: string) => {
      const found = hosts.get(host);
      if (found === undefined) {
        throw new Error(`host ${host} is not one of ${hostNames.join(", ")}`);
      }
      return found;
    };
    const workers = settings.workers.map((worker) => ({
      ...worker,
      host: worker.host ?? controllerHost,
      engines: worker.engines ?? DEFAULTS.engines,
    }));
    const ports = controllerPorts(settings.basePort ?? defaultBasePort(name));
    const sshPorts = workerSshPorts(name, workers, {
      [controllerHost]: [...ports.engine, ...ports.client, ports.ssh],
    });
    const elsewhere = workers.filter((worker) => worker.host !== controllerHost);
    const controllerAddress = hostOf(controllerHost).address;
    if (elsewhere[0] !== undefined && isLoopback(controllerAddress)) {
      throw new Error(
        `worker ${elsewhere[0].name} on host ${elsewhere[0].host} can't reach the controller at ` +
          `${controllerAddress}: give host ${controllerHost} an address that other machines reach`,
      );
    }

    const { seed } = new Keys(`${name}-keys`, { parent: this });
    const generation = settings.keyGeneration;
    const keys = seed.apply((value) => deriveKeys(value, generation));
    const hostKey = (part: string) => seed.apply((value) => deriveHostKey(value, generation, part));
    const ssh = (part: string, host: string, port: number): SshTarget => ({
      address: hostOf(host).address,
      port,
      hostKey: hostKey(part).public,
      privateKey: keys.client.private,
    });

    // What each Docker host needs once: a provider, the image, a network.
    const used = [...new Set([controllerHost, ...workers.map((worker) => worker.host)])];
    const machines = new Map(
      used.map((host) => {
        const provider = new docker.Provider(
          `${name}-${host}`,
          { host: hostOf(host).docker },
          { parent: this },
        );
        const child = { parent: this, provider };
        const image = new WorkerImage(
          `${name}-image-${host}`,
          { context: settings.imageContext, baseImage: settings.baseImage },
          { parent: this, providers: [provider] },
        );
        const network = new docker.Network(
          `${name}-network-${host}`,
          { name: dockerName(name), driver: "bridge", labels: dockerLabels(name, "network") },
          child,
        );
        return [host, { provider, image, network }] as const;
      }),
    );
    const machine = (host: string) => {
      const { provider, image, network } = machines.get(host) as NonNullable<
        ReturnType<typeof machines.get>
      >;
      return {
        opts: { parent: this, providers: [provider] },
        image: image.imageId,
        network: network.name,
      };
    };

    const home = machine(controllerHost);
    const controllerSsh = ssh(CONTROLLER, controllerHost, ports.ssh);
    const controller = new ControllerProfile(
      `${name}-controller`,
      {
        cluster: name,
        profile: settings.profile,
        owner: pulumi.unsecret(seed.apply(fingerprint)),
        image: home.image,
        network: home.network,
        address: controllerAddress,
        bind: hostOf(controllerHost).bind,
        ports,
        publishEnginePorts: elsewhere.length > 0,
        keys,
        hostKey: hostKey(CONTROLLER).private,
        heartbeatPeriod: settings.heartbeatPeriod,
        heartbeatTimeout: settings.heartbeatTimeout,
        ssh: controllerSsh,
        timeout: settings.timeout,
      },
      home.opts,
    );

    const reports = workers.map((spec) => {
      const { opts: there, image, network } = machine(spec.host);
      const sshPort = sshPorts.get(spec.name) as number;
      const worker = new Worker(
        `${name}-${spec.name}`,
        {
          cluster: name,
          worker: spec.name,
          image,
          network,
          bind: hostOf(spec.host).bind,
          sshPort,
          hostKey: hostKey(spec.name).private,
          authorizedKey: keys.client.public,
          env: spec.env,
        },
        there,
      );
      const address = spec.host === controllerHost ? CONTROLLER : controllerAddress;
      const engines = new Engines(
        `${name}-${spec.name}-engines`,
        {
          ssh: ssh(spec.name, spec.host, sshPort),
          containerId: worker.containerId,
          count: spec.engines,
          connectionFile: keys.apply(({ hmac, curve }) =>
            JSON.stringify(engineFile(address, ports, { hmac, curveServerKey: curve.public })),
          ),
          imports: settings.imports,
          timeout: settings.timeout,
        },
        { parent: this },
      );
      return engines.report;
    });

    const readiness = new Readiness(
      `${name}-readiness`,
      {
        ssh: controllerSsh,
        workers: Object.fromEntries(workers.map((worker) => [worker.name, worker.engines])),
        after: [pulumi.all([controller.report, ...reports]).apply((all) => digest(all.join("\n")))],
        timeout: settings.timeout,
      },
      { parent: this },
    );
    this.engines = readiness.engines;
    this.profile = pulumi.output(settings.profile);
    this.registerOutputs();
  }
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** What tells one cluster's seed from another's without giving it away. */
function fingerprint(seed: string): string {
  return digest(`fingerprint ${seed}`).slice(0, 16);
}
