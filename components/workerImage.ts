import { relative } from "node:path";

import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { digest, hashContext } from "./lib/context";
import { evenIfFailed } from "./lib/failed";
import { type HostArgs, hostCommand } from "./lib/hosts";
import { DEFAULT_PYTHON, officialBase } from "./lib/python";
import { quote } from "./lib/quote";
import { repairable } from "./lib/repair";

/**
 * What an image holds. A change of any of it builds or pulls anew, and replaces the containers that
 * have the image; keys, ports and the clients' profile stay.
 */
export interface ImageArgs {
  /**
   * Python of the image: `3.11`, `3.12`, `3.13` or `3.14`. Functions reach its engines from clients
   * with the same one alone, data and source code from any. Defaults to that of the cluster.
   */
  python?: string;
  /**
   * Image that the Dockerfile of workers begins from: Debian with that Python. Defaults to
   * `python:3.11-slim-bookworm`, or the like for another `python`.
   */
  base?: string;
  /** Python packages besides ipyparallel, as for pip: `scipy==1.14.1`. Defaults to none. */
  packages?: string[];
  /**
   * Lock of `packages`: all that they bring, as requirements with hashes (`uv pip compile
   * --generate-hashes`), at most 100,000 characters. With it nothing else is installed, so that
   * every host builds the same. Defaults to none: pip on each host decides what is not pinned.
   */
  lock?: string;
  /** Debian packages. Defaults to none. */
  aptPackages?: string[];
  /**
   * Folder with a Dockerfile of your own, which begins with `ARG WORKER_IMAGE` and
   * `FROM ${WORKER_IMAGE}`. Defaults to none.
   */
  context?: string;
  /**
   * A ready image, `registry/name@sha256:…`, instead of one that is built; it must have been
   * built from this project's Dockerfile, with the Python that `python` says. Defaults to none.
   */
  reference?: string;
}

/** Arguments of {@link WorkerImage}. A change of any of them makes a new image. */
export interface WorkerImageArgs {
  /** Folder with the Dockerfile of workers, and all that it copies. */
  context: string;
  /** What the image holds. */
  image: ImageArgs;
  /** The host that it is built on, that of the provider. */
  host: HostArgs;
  /** Docker endpoint that a host with another one gets the base image from, if it lacks it. */
  copyBaseFrom?: string;
  /** Names of the images that the host has, if that is known: others are built again. */
  present?: string[];
}

/** What stands for an image that could not be had; nothing is made of it. */
const NO_IMAGE = "none";

const BUILD_SCRIPT = relative(process.cwd(), require.resolve("./scripts/build-image.cjs"));

/** The image of workers and controller on one Docker host (that of the provider). */
export class WorkerImage extends pulumi.ComponentResource {
  /** Id of the image on that host. */
  public readonly imageId: pulumi.Output<string>;

  constructor(name: string, args: WorkerImageArgs, opts?: pulumi.ComponentResourceOptions) {
    super("ipyparallel:index:WorkerImage", name, {}, opts);
    const parent = { parent: this };
    const { reference, context, packages = [], lock, aptPackages = [] } = args.image;
    const { python = DEFAULT_PYTHON, base = officialBase(python) } = args.image;
    // Images are left where they are for the next `up`; the README says how to remove them.
    const keepLocally = true;
    if (reference !== undefined) {
      const pulled = new docker.RemoteImage(
        `${name}-pull`,
        { name: reference, keepLocally },
        parent,
      );
      this.imageId = evenIfFailed(pulled, pulled.imageId, NO_IMAGE);
    } else {
      const worker = build(`${name}-build`, {
        repository: "ipyparallel-worker",
        context: args.context,
        buildArgs: {
          BASE_IMAGE: base,
          PYTHON: python,
          ...(lock === undefined ? { PACKAGES: packages.join(" ") } : { LOCK: lock }),
          APT_PACKAGES: aptPackages.join(" "),
        },
        copiedBase:
          args.copyBaseFrom === undefined ? undefined : { image: base, from: args.copyBaseFrom },
      });
      const own =
        context === undefined
          ? undefined
          : build(`${name}-own`, {
              repository: "ipyparallel-own",
              context,
              buildArgs: { WORKER_IMAGE: worker.image },
              after: worker.built,
            });
      const { built, image } = own ?? worker;
      // The image that is there, by its name: a refresh sees whether it is still.
      const found = new docker.RemoteImage(
        `${name}-image`,
        { name: image, keepLocally },
        { ...parent, dependsOn: built },
      );
      this.imageId = evenIfFailed(found, found.imageId, NO_IMAGE);
    }
    this.registerOutputs();

    /** Declares the build of an image, whose name says what is in it. */
    function build(resource: string, { repository, context, buildArgs, copiedBase, after }: Build) {
      const content = hashContext(context);
      const image = `${repository}:${digest(content, JSON.stringify(buildArgs))}`;
      const lost = args.present !== undefined && !args.present.includes(image);
      const built = new command.local.Command(
        resource,
        {
          create: quote("node", BUILD_SCRIPT),
          stdin: JSON.stringify({
            docker: args.host.docker,
            shell: hostCommand(args.host, "").slice(0, -1),
            image,
            context,
            buildArgs,
            copiedBase,
          }),
          triggers: [image, lost ? `missing at ${new Date().toISOString()}` : ""],
          addPreviousOutputInEnv: false,
        },
        {
          ...parent,
          ...repairable("triggers[1]", lost ? "it is missing" : undefined),
          ...(after === undefined ? {} : { dependsOn: after }),
        },
      );
      return { image, built };
    }
  }
}

/** An image that is built. */
interface Build {
  repository: string;
  context: string;
  buildArgs: Record<string, string>;
  copiedBase?: { image: string; from: string };
  after?: pulumi.Resource;
}
