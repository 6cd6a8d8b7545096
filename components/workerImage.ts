import { relative } from "node:path";

import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { digest, hashFolder } from "./lib/context";
import { evenIfFailed } from "./lib/failed";
import { type HostArgs, hostCommand } from "./lib/hosts";
import { DEFAULT_PYTHON, officialBase } from "./lib/python";
import { quote } from "./lib/quote";

/**
 * What an image holds. A change of any of it builds or pulls anew, and replaces the containers that
 * have the image; keys, ports and the clients' profile stay.
 */
export interface ImageArgs {
  /**
   * Python of the image: `3.11`, `3.12`, `3.13` or `3.14`. Functions reach its engines from clients
   * with the same one alone, data and source code from any. Defaults to `3.11`.
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
}

/** What stands for an image that could not be had; nothing is made of it. */
const NO_IMAGE = "none";

const COPY_SCRIPT = relative(process.cwd(), require.resolve("./scripts/copy-image.sh"));

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
      const copy =
        args.copyBaseFrom === undefined || args.copyBaseFrom === args.host.docker
          ? []
          : [copyImage(`${name}-base`, base, args.copyBaseFrom, args.host, parent)];
      const worker = build(
        `${name}-build`,
        "ipyparallel-worker",
        args.context,
        {
          BASE_IMAGE: base,
          PYTHON: python,
          ...(lock === undefined ? { PACKAGES: packages.join(" ") } : { LOCK: lock }),
          APT_PACKAGES: aptPackages.join(" "),
        },
        { ...parent, dependsOn: copy },
      );
      const image =
        context === undefined
          ? worker
          : build(`${name}-own`, "ipyparallel-own", context, { WORKER_IMAGE: worker.name }, parent);
      this.imageId = evenIfFailed(image, image.imageId, NO_IMAGE);
    }
    this.registerOutputs();

    function build(
      resource: string,
      repository: string,
      folder: string,
      buildArgs: Record<string, pulumi.Input<string>>,
      opts: pulumi.CustomResourceOptions,
    ): docker.RemoteImage {
      const content = hashFolder(folder);
      return new docker.RemoteImage(
        resource,
        {
          name: pulumi
            .output(buildArgs)
            .apply((given) => `${repository}:${digest(content, JSON.stringify(given))}`),
          build: { context: folder, buildArgs },
          triggers: { content, ...buildArgs },
          keepLocally,
        },
        opts,
      );
    }
  }
}

/** Brings an image from another Docker to a host that lacks it. */
function copyImage(
  name: string,
  image: string,
  from: string,
  host: HostArgs,
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource {
  return new command.local.Command(
    name,
    {
      create: quote("sh", COPY_SCRIPT, image, from, ...hostCommand(host, "").slice(0, -1)),
      triggers: [image, host.docker],
      addPreviousOutputInEnv: false,
      logging: "stderr",
    },
    opts,
  );
}
