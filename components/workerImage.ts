import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { hashFolder } from "./lib/context";

/** Arguments of {@link WorkerImage}. */
export interface WorkerImageArgs {
  /** Folder with the Dockerfile and all that it copies. A change of any file rebuilds the image. */
  context: string;
  /** Image that the Dockerfile begins from. A change rebuilds the image. */
  baseImage: string;
}

/** The image of workers and controller, built on one Docker host (that of the provider). */
export class WorkerImage extends pulumi.ComponentResource {
  /** Id of the image on that host. */
  public readonly imageId: pulumi.Output<string>;

  constructor(name: string, args: WorkerImageArgs, opts?: pulumi.ComponentResourceOptions) {
    super("ipyparallel:index:WorkerImage", name, args, opts);
    const content = hashFolder(args.context);
    const image = new docker.RemoteImage(
      `${name}-build`,
      {
        name: `ipyparallel-worker:${content.slice(0, 12)}`,
        build: { context: args.context, buildArgs: { BASE_IMAGE: args.baseImage } },
        triggers: { content, baseImage: args.baseImage },
        // Left for the next `up`, which is then quick; the README says how to remove it.
        keepLocally: true,
      },
      { parent: this },
    );
    this.imageId = image.imageId;
    this.registerOutputs();
  }
}
