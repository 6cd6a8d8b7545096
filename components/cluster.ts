import { createHash } from "node:crypto";
import { join, relative } from "node:path";

import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { ControllerProfile } from "./controllerProfile";
import { Engines } from "./engines";
import { Keys } from "./keys";
import { engineFile } from "./lib/connectionFiles";
import type { MountArgs, UlimitArgs } from "./lib/container";
import { ifMade } from "./lib/failed";
import { type HostArgs, sshEndpoint, sshOptions } from "./lib/hosts";
import { deriveHostKey, deriveKeys } from "./lib/keys";
import { Mistake } from "./lib/mistake";
import { CONTROLLER, dockerLabels, dockerName, OWNER_LABEL } from "./lib/names";
import { type FirewallRules, firewallRules, type PortRule } from "./lib/portPlan";
import { type ClusterPlan, DEFAULT_IMAGE, planCluster, type PlannedWorker } from "./lib/plan";
import { frozen } from "./lib/repair";
import { bastionMistakes, type SshTarget } from "./lib/ssh";
import { type EngineInfo, Readiness } from "./readiness";
import { Worker } from "./worker";
import { type ImageArgs, WorkerImage } from "./workerImage";

/** One worker of a cluster: a container, and the engines in it. */
export interface WorkerSpec {
  /** Name, unique in the cluster; part of the engines' idents. A change replaces the worker. */
  name: string;
  /** Name of the host to run on. Defaults to the controller's. A change moves the container. */
  host?: string;
  /** Number of engines, 1 to 512. Defaults to 1. A change starts or ends just the difference. */
  engines?: number;
  /** Name of the image. Defaults to `default`. A change replaces the container. */
  image?: string;
  /**
   * SSH port on the host, 1024 to 65535. Defaults to one from 20000 to 29999, derived from the
   * names of cluster and worker. A change replaces the container.
   */
  sshPort?: number;
  /**
   * Environment variables of the engines. What is secret stays so in Pulumi's state and output; who
   * may use Docker on the host sees it. Defaults to none. A change replaces the container.
   */
  env?: { [name: string]: pulumi.Input<string> };
  /**
   * Memory in MiB, at least 64; there is no swap on top of it. Defaults to no limit. Another amount
   * is set in place, unless `/tmp` gets another default size with it; to have no limit any more
   * replaces the container.
   */
  memoryMiB?: number;
  /**
   * Number of CPUs' worth of time, such as 1.5. Defaults to no limit. A change replaces the
   * container.
   */
  cpus?: number;
  /**
   * CPUs to run on, such as `0-3,8`. Defaults to all. A change is made in place, one back to all of
   * them replaces the container.
   */
  cpuSet?: string;
  /** GPUs to use: `all`. Defaults to none. A change replaces the container. */
  gpus?: string;
  /** Size of `/dev/shm` in MiB. Defaults to Docker's, 64. A change replaces the container. */
  shmSizeMiB?: number;
  /**
   * Size of `/tmp` in MiB, 1 or more and less than `memoryMiB`: it is memory of the container, and a
   * task that fills it gets "no space left". Defaults to 256; to 64 with less than 512 MiB of memory,
   * and to 32 with less than 128. A change replaces the container.
   */
  tmpSizeMiB?: number;
  /** Limits of processes. Defaults to Docker's. A change replaces the container. */
  ulimits?: UlimitArgs[];
  /** Folders of the host and volumes. Defaults to none. A change replaces the container. */
  mounts?: MountArgs[];
  /**
   * Threads of each engine's numerical libraries (`OMP_NUM_THREADS` and the like). Defaults to
   * the cores that the container has, divided by its engines. A change replaces the container.
   */
  threads?: number;
  /**
   * Docker's restart policy: `unless-stopped`, `always`, `on-failure` or `no`. Defaults to
   * `unless-stopped`. A change is made in place.
   */
  restart?: string;
  /** Labels of the container. Defaults to none. A change replaces it. */
  labels?: { [name: string]: string };
}

/** A registry that asks for a log-in. */
export interface RegistryArgs {
  /** Its address, such as `registry.example.org:5000`. */
  address: string;
  /** The user to log in as. */
  username: string;
  /** The password, or a token. */
  password: pulumi.Input<string>;
}

/** Arguments of {@link Cluster}. */
export interface ClusterArgs {
  /**
   * Name of the IPython profile on this machine by which clients find the cluster:
   * `Client(profile="…")`. Defaults to the cluster's name. A change moves the client file.
   */
  profile?: string;
  /**
   * Machines by name. Defaults to `local`, the Docker Engine at `/var/run/docker.sock`. Another
   * name for a machine replaces everything on it.
   */
  hosts?: { [name: string]: HostArgs };
  /**
   * Name of the host that the controller runs on. Defaults to the first one by name. A change moves
   * the controller's container; the engines and the profile on this machine follow.
   */
  controllerHost?: string;
  /**
   * First of the controller's 19 ports, 1024 to 65517. Defaults to one from 30000 to 32681,
   * derived from the cluster's name. A change replaces the controller's container and restarts
   * all engines.
   */
  basePort?: number;
  /**
   * Milliseconds between two heartbeats of the engines, 50 to 10000. An engine's registration
   * completes on one, so a longer period makes a slower start; a shorter one costs the controller
   * time. Defaults to 250. A change restarts controller and engines.
   */
  heartbeatPeriod?: number;
  /**
   * Seconds without a heartbeat after which an engine counts as lost, 2 to 600. Defaults to 10.
   * A change restarts controller and engines.
   */
  heartbeatTimeout?: number;
  /**
   * Memory of the controller's container, in MiB, at least 256. What clients leave there is dropped
   * before it is full: records of tasks, the oldest first, of which they take a sixteenth at most;
   * what waits for clients that do not read; tasks that find no engine and no room. Defaults to
   * 2048. A change restarts controller and engines.
   */
  controllerMemoryMiB?: number;
  /**
   * Folder with the Dockerfile of workers and controller. Defaults to the one that comes with this
   * package. A changed file replaces containers.
   */
  imageContext?: string;
  /**
   * Images by name. Workers that name none, and the controller, have the one called `default`.
   * Defaults to a `default` with nothing besides ipyparallel. A change replaces the containers of
   * the workers that have the image.
   */
  images?: { [name: string]: ImageArgs };
  /**
   * Python of images that name none: `3.11`, `3.12`, `3.13` or `3.14`. Functions reach engines from
   * clients with the same one alone. Defaults to `3.11`. A change builds these images again and
   * replaces their containers.
   */
  python?: string;
  /**
   * Base of images that name none and have the Python of the cluster. Defaults to the official image
   * of that Python, such as `python:3.11-slim-bookworm`. A change builds them again and replaces
   * their containers.
   */
  baseImage?: string;
  /**
   * Docker endpoint that hosts with another one get the base image from, if they lack it, such as
   * `unix:///var/run/docker.sock`. Defaults to none: hosts pull it. A change touches no container.
   */
  copyBaseImageFrom?: string;
  /**
   * The registry that ready images come from. Defaults to one without log-in. A change counts for
   * the next image that is pulled.
   */
  registry?: RegistryArgs;
  /**
   * Number of times that all keys were replaced: raise it by one to replace them. Defaults to 0.
   * A change replaces all containers and the clients' file.
   */
  keyGeneration?: number;
  /**
   * Python modules that every engine must be able to import before it counts as ready. Defaults to
   * none. A module that is added restarts the engines; one that is left out restarts nothing.
   */
  imports?: string[];
  /** Seconds that engines have to register, 5 to 3600. Defaults to 60. A change restarts nothing. */
  timeout?: number;
  /**
   * Number of engines that are enough: if fewer than all but at least so many answer within
   * `timeout`, that is a warning that names the missing ones, not an error. At least 1.
   * Defaults to all engines. A change restarts nothing.
   */
  minReady?: number;
  /** The workers. */
  workers: WorkerSpec[];
  /**
   * Why containers are to be replaced though nothing else changed, by the worker's name or
   * `controller`. A text must be new for each cause. Defaults to none.
   */
  containerRepairs?: { [part: string]: string };
  /** Why engines, or ipcontroller, are to be set up again, as `containerRepairs`. Defaults to none. */
  repairs?: { [part: string]: string };
  /**
   * Why the profile on this machine is to be written again; a text that is new for each cause.
   * Defaults to none.
   */
  profileRepair?: string;
  /**
   * Names of the images that each host has, by the host's name; an image that is declared and not
   * among them is built again. Defaults to what the last update left. A change touches no container.
   */
  imagesPresent?: { [host: string]: string[] };
  /**
   * Ids of networks of the cluster that are on a host and not in the state any more, by the host's
   * name: they are imported, and the containers in them stay. Defaults to none.
   */
  networkIds?: { [host: string]: string };
  /**
   * Names of hosts that can't be reached at the moment: what is there is left as it is, and their
   * workers are not waited for. Defaults to none.
   */
  unreachableHosts?: string[];
}

/** An ipyparallel cluster: a controller, workers, and the engines in them, ready to be used. */
export class Cluster extends pulumi.ComponentResource {
  /** Every engine that registered and answered when the cluster was last changed. */
  public readonly engines: pulumi.Output<EngineInfo[]>;
  /** Name of the IPython profile for `Client(profile="…")`. */
  public readonly profile: pulumi.Output<string>;
  /**
   * What Python programs run before they connect: `zmq.Context.instance().IPV6 = 1` where the
   * address of the controller's host is an IPv6 one, since ZeroMQ dials these only if it is told
   * to; else empty.
   */
  public readonly beforeConnect: pulumi.Output<string>;
  /**
   * The cluster's fingerprint: everything that it has on a Docker host has it as the label
   * `ipyparallel.owner`. It stays the same as long as the cluster's keys do.
   */
  public readonly owner: pulumi.Output<string>;
  /** Which ports on which host are used, and who connects to whom. */
  public readonly ports: pulumi.Output<PortRule[]>;
  /** The same as rules of a firewall, for each host: `ufw` commands and an `nft` table. */
  public readonly firewall: pulumi.Output<{ [host: string]: FirewallRules }>;
  /** Names of the workers that are not up; none if `minReady` engines are there without them. */
  public readonly missing: pulumi.Output<string[]>;

  constructor(name: string, args: ClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    const plan = planCluster(name, args);
    const mistakes = bastionMistakes(plan);
    if (mistakes.length > 0) {
      throw new Mistake(mistakes.join("\n"));
    }
    super("ipyparallel:index:Cluster", name, {}, opts);
    const { seed, owner } = new Keys(`${name}-keys`, { parent: this });
    const keys = seed.apply((value) => deriveKeys(value, plan.keyGeneration));
    const hostKey = (part: string) =>
      seed.apply((value) => deriveHostKey(value, plan.keyGeneration, part));
    const ssh = (part: string, host: string, port: number): SshTarget => ({
      host: plan.host(host),
      port,
      hostKey: hostKey(part).public,
      privateKey: keys.client.private,
    });

    const machines = declareMachines(this, name, args, plan, owner);
    const home = machines(plan.controllerHost);
    const controllerSsh = ssh(CONTROLLER, plan.controllerHost, plan.ports.ssh);
    const controller = new ControllerProfile(
      `${name}-controller`,
      {
        cluster: name,
        profile: plan.profile,
        owner,
        image: home.image(DEFAULT_IMAGE),
        network: home.network,
        address: plan.host(plan.controllerHost).address,
        bind: plan.host(plan.controllerHost).bind,
        ports: plan.ports,
        publishEnginePorts: plan.spread,
        keys,
        hostKey: hostKey(CONTROLLER).private,
        heartbeatPeriod: plan.heartbeatPeriod,
        heartbeatTimeout: plan.heartbeatTimeout,
        memoryMiB: plan.controllerMemoryMiB,
        ssh: controllerSsh,
        timeout: plan.timeout,
        containerRepair: args.containerRepairs?.[CONTROLLER],
        repair: args.repairs?.[CONTROLLER],
        profileRepair: args.profileRepair,
      },
      home.opts,
    );

    const reports = plan.workers.map((planned) => {
      const machine = machines(planned.host);
      const worker = new Worker(
        `${name}-${planned.name}`,
        {
          cluster: name,
          owner,
          worker: planned.name,
          image: machine.image(planned.image),
          network: machine.network,
          bind: plan.host(planned.host).bind,
          sshPort: planned.sshPort,
          hostKey: hostKey(planned.name).private,
          authorizedKey: keys.client.public,
          options: planned.options,
          after: machine.volumes(planned),
          repair: args.containerRepairs?.[planned.name],
        },
        machine.opts,
      );
      const engines = new Engines(
        `${name}-${planned.name}-engines`,
        {
          ssh: ssh(planned.name, planned.host, planned.sshPort),
          containerId: worker.containerId,
          count: planned.engines,
          connectionFile: keys.apply(({ hmac, curve }) =>
            JSON.stringify(
              engineFile(planned.controllerAddress, plan.ports, {
                hmac,
                curveServerKey: curve.public,
              }),
            ),
          ),
          imports: args.imports,
          timeout: plan.timeout,
          // Engines wait for the controller. As Pulumi runs only so many commands at once, they
          // must not take the places of those that bring it up.
          after: [controller.setUp],
          repair: args.repairs?.[planned.name],
        },
        { parent: this, ...machine.freeze },
      );
      // What fails with one worker is to leave the others alone.
      return plan.leftAlone(planned.host) ? "" : ifMade(engines.report);
    });
    const up = pulumi
      .all(reports)
      .apply((all) => plan.workers.filter((_, index) => (all[index] ?? "") !== ""));

    const readiness = new Readiness(
      `${name}-readiness`,
      {
        ssh: controllerSsh,
        workers: up.apply((workers) =>
          Object.fromEntries(workers.map(({ name: worker, engines }) => [worker, engines])),
        ),
        images: up.apply(imagesOnSeveralHosts),
        pythons: up.apply((workers) => pythons(workers, plan)),
        after: [
          pulumi.all([controller.setUp.stdout, ...reports]).apply((all) => sha256(all.join("\n"))),
        ],
        minReady: args.minReady,
        timeout: plan.timeout,
      },
      { parent: this },
    );
    const hostOf = new Map(plan.workers.map((worker) => [worker.name, worker.host]));
    this.engines = readiness.engines.apply((engines) =>
      engines.map((engine) => ({ ...engine, host: hostOf.get(engine.worker) ?? engine.host })),
    );
    this.profile = pulumi.output(plan.profile);
    this.beforeConnect = pulumi.output(plan.dialsIpv6 ? "zmq.Context.instance().IPV6 = 1" : "");
    this.owner = owner;
    this.ports = pulumi.output(plan.portRules);
    this.firewall = pulumi.output(firewallRules(plan.portRules));
    this.missing = up.apply((workers) => {
      const engines = workers.reduce((sum, worker) => sum + worker.engines, 0);
      const present = workers.map((worker) => worker.name);
      const absent = plan.workers.flatMap((worker) =>
        present.includes(worker.name) || plan.host(worker.host).abandoned === true
          ? []
          : [worker.name],
      );
      return engines >= (args.minReady ?? Infinity) ? [] : absent;
    });
    this.registerOutputs();
  }
}

/** The Python of each worker, unless all of them and the controller have the cluster's. */
function pythons(workers: PlannedWorker[], { python: usual, images }: ClusterPlan) {
  const pythonOf = (image: string) => images[image]?.python ?? usual;
  const all = [pythonOf(DEFAULT_IMAGE), ...workers.map(({ image }) => pythonOf(image))];
  return all.every((python) => python === usual)
    ? undefined
    : Object.fromEntries(workers.map(({ name, image }) => [name, pythonOf(image)]));
}

/** The images that are on more than one host, by the names of the workers that have them. */
function imagesOnSeveralHosts(workers: PlannedWorker[]): { [worker: string]: string } {
  const hosts = new Map<string, Set<string>>();
  for (const { image, host } of workers) {
    hosts.set(image, (hosts.get(image) ?? new Set()).add(host));
  }
  const several = workers.filter(({ image }) => (hosts.get(image)?.size ?? 0) > 1);
  return Object.fromEntries(several.map(({ name, image }) => [name, image]));
}

/** Relative, since the stack's state holds it: the same wherever the program's folder is. */
const IMAGE_CONTEXT = relative(process.cwd(), join(__dirname, "../docker"));

/**
 * Options of the network that the controller is in: packets may be as large as on the loopback,
 * since between the controller and engines of its own host they never leave the machine. With
 * Docker's 1,500 bytes a broadcast takes a fifth longer; 65,535 is the most that a bridge can have.
 * TCP connections with other machines agree on what the way between them takes.
 */
const LARGE_PACKETS = { "com.docker.network.driver.mtu": "65535" };

/**
 * Settings of a Docker provider that it takes from the environment otherwise (`DOCKER_CONTEXT` and
 * the like), where they count for more than its host.
 */
const NOT_FROM_ENVIRONMENT = {
  context: "",
  certPath: "",
  caMaterial: "",
  certMaterial: "",
  keyMaterial: "",
};

/** What the parts on one host need of it. */
interface Machine {
  /** For components whose children are made on the host. */
  opts: pulumi.ComponentResourceOptions;
  /** Options that leave everything as it is, where the host is to be left alone. */
  freeze: pulumi.ComponentResourceOptions;
  /** Id of an image on the host. */
  image: (name: string) => pulumi.Output<string>;
  /** Name of the cluster's network on the host. */
  network: pulumi.Output<string>;
  /** The volumes that a worker mounts. */
  volumes: (worker: PlannedWorker) => docker.Volume[];
}

/** Declares what each Docker host needs once: a provider, images, a network, volumes. */
function declareMachines(
  parent: Cluster,
  name: string,
  args: ClusterArgs,
  plan: ClusterPlan,
  owner: pulumi.Output<string>,
): (host: string) => Machine {
  const labels = (part: string) => [
    ...dockerLabels(name, part),
    { label: OWNER_LABEL, value: owner },
  ];
  const declare = (host: string): Machine => {
    const settings = plan.host(host);
    const workers = plan.workers.filter((worker) => worker.host === host);
    const freeze = plan.leftAlone(host) ? frozen(settings.abandoned === true) : {};
    const provider = new docker.Provider(
      `${name}-${host}`,
      {
        host: settings.docker,
        // A preview of what does not exist yet must not need the host.
        disableDockerDaemonCheck: true,
        ...NOT_FROM_ENVIRONMENT,
        ...(sshEndpoint(settings.docker) === undefined ? {} : { sshOpts: sshOptions(settings) }),
        ...(args.registry === undefined ? {} : { registryAuth: [args.registry] }),
      },
      // A refresh asks as the state says: a key or address that is wrong must not get there.
      { parent, ...freeze },
    );
    const child = { parent, provider, ...freeze };
    // Containers of the controller's host find it by name, in their own network. One with IPv6 is a
    // resource of its own: to replace a network, Pulumi first deletes all that is in it, at the same
    // time as it moves the controller out, which leaves a state that it can't read.
    const ipv6 = plan.dialsIpv6 && host !== plan.controllerHost;
    const network = new docker.Network(
      `${name}-${ipv6 ? "ipv6-network" : "network"}-${host}`,
      {
        name: dockerName(name, ...(ipv6 ? ["ipv6"] : [])),
        driver: "bridge",
        labels: labels("network"),
        ...(ipv6 ? { ipv6 } : {}),
        ...(host === plan.controllerHost ? { options: LARGE_PACKETS } : {}),
      },
      // Neither a controller that moves nor an older version is a reason to make a network anew.
      { ...child, import: args.networkIds?.[host], ignoreChanges: ["options", "labels"] },
    );
    const imageNames = new Set(workers.map((worker) => worker.image));
    if (host === plan.controllerHost) {
      imageNames.add(DEFAULT_IMAGE);
    }
    const images = new Map(
      [...imageNames].map((image) => [
        image,
        new WorkerImage(
          `${name}-image-${image}-${host}`,
          {
            context: args.imageContext ?? IMAGE_CONTEXT,
            image: plan.images[image] ?? {},
            host: settings,
            copyBaseFrom: args.copyBaseImageFrom,
            present: args.imagesPresent?.[host],
          },
          { parent, providers: [provider], ...freeze },
        ).imageId,
      ]),
    );
    const mounted = ({ options }: PlannedWorker) =>
      (options.mounts ?? []).flatMap(({ volume }) => (volume === undefined ? [] : [volume]));
    const volumes = new Map(
      [...new Set(workers.flatMap(mounted))].map((volume) => [
        volume,
        new docker.Volume(
          `${name}-volume-${volume}-${host}`,
          { name: dockerName(name, "volume", volume), labels: labels("volume") },
          // One that an older version made keeps the labels that it has, and its content.
          { ...child, ignoreChanges: ["labels"] },
        ),
      ]),
    );
    return {
      opts: { parent, providers: [provider], ...freeze },
      freeze,
      image: (image) => images.get(image) as pulumi.Output<string>,
      network: network.name,
      volumes: (worker) => mounted(worker).map((volume) => volumes.get(volume) as docker.Volume),
    };
  };
  const machines = new Map(plan.hostsInUse.map((host) => [host, declare(host)]));
  return (host) => machines.get(host) as Machine;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
