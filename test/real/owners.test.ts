import assert from "node:assert/strict";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

import { ProjectCopy } from "./projectCopy";
import { docker, dockerObjects } from "./testStack";

const NAME = "test-owners";
const CLUSTER = { workers: [{ name: "w1", mounts: [{ volume: "kept", target: "/kept" }] }] };

interface Deployment {
  deployment: {
    resources: {
      urn: string;
      dependencies?: string[];
      propertyDependencies?: Record<string, string[] | null>;
    }[];
    pending_operations?: unknown[];
  };
}

/** Takes a stack's state out, changes it and puts it back. */
function editState(copy: ProjectCopy, change: (state: Deployment) => void): void {
  const state = JSON.parse(copy.pulumi("stack", "export")) as Deployment;
  change(state);
  const file = join(copy.folder, "edited.json");
  writeFileSync(file, JSON.stringify(state));
  copy.pulumi("stack", "import", "--file", file);
  rmSync(file);
}

/** Has a stack's state forget resources, as a refresh does that finds nothing of them. */
function forget(copy: ProjectCopy, ...names: RegExp[]): void {
  editState(copy, ({ deployment }) => {
    const all = deployment.resources;
    const gone = new Set(
      all.map(({ urn }) => urn).filter((urn) => names.some((name) => name.test(urn))),
    );
    assert.equal(gone.size, names.length);
    const kept = (urns: string[]) => urns.filter((urn) => !gone.has(urn));
    deployment.resources = all
      .filter(({ urn }) => !gone.has(urn))
      .map((resource) => ({
        ...resource,
        dependencies: kept(resource.dependencies ?? []),
        propertyDependencies: Object.fromEntries(
          Object.entries(resource.propertyDependencies ?? {}).map(([key, urns]) => [
            key,
            kept(urns ?? []),
          ]),
        ),
      }));
  });
}

/** Ids of the cluster's containers and networks, in any order. */
async function ids(cluster = NAME): Promise<string[]> {
  return (await dockerObjects(cluster)).map(({ id }) => id).sort();
}

describe("the owner of a cluster", function () {
  this.timeout(300_000);
  let one: ProjectCopy;
  let two: ProjectCopy;
  let present: string[];

  before(async () => {
    one = await ProjectCopy.create(NAME);
    two = await ProjectCopy.create(NAME);
    one.declare(CLUSTER);
    two.declare(CLUSTER);
    await one.run("up");
    present = await ids();
    await docker("exec", `ipp-${NAME}-w1`, "sh", "-c", "echo results >/kept/file");
  });
  after(async () => {
    await two.remove();
    await one.remove();
  });

  const isUntouched = async (copy = one, file?: string) => {
    assert.deepEqual(await ids(), present);
    assert.equal(copy.hello(file), "1 {'Hello World'}");
  };

  it("labels containers, networks and volumes", async () => {
    const owner = one.pulumi("stack", "output", "owner").trim();
    assert.match(owner, /^[0-9a-f]{16}$/);
    const unnamed = /^[0-9a-f]{64}$/; // volumes that come and go with a container
    const objects = await dockerObjects(NAME);
    for (const { kind, id } of objects.filter((one) => !unnamed.test(one.id))) {
      const labels = kind === "container" ? ".Config.Labels" : ".Labels";
      const format = `{{index ${labels} "ipyparallel.owner"}}`;
      assert.equal(await docker(kind, "inspect", "--format", format, id), owner);
    }
  });

  describe("another clone with a stack of the same name", () => {
    it("is stopped before anything is made", async () => {
      const output = await two.fails("up");
      const owner = one.pulumi("stack", "output", "owner").trim();
      assert.ok(output.includes(`another cluster, ${NAME} (owner ${owner}), has `), output);
      for (const name of ["container ipp-test-owners-w1", "network ipp-test-owners"]) {
        assert.ok(output.includes(name), output);
      }
      assert.match(output, /Nothing was changed\./);
      await isUntouched();
    });

    it("does not have the first one's status", async () => {
      const output = await two.fails("status");
      assert.match(output, /another cluster, test-owners \(owner [0-9a-f]{16}\)/);
      assert.match(output, /w1 +local +foreign +1 +0 +0 +0/);
      assert.match(await one.run("status"), /all is well/);
    });

    it("removes nothing of it after a run that was killed", async () => {
      editState(two, ({ deployment }) => {
        const urn = `urn:pulumi:${NAME}::ipyparallel::docker:index/network:Network::begun`;
        const resource = { urn, custom: true, type: "docker:index/network:Network", inputs: {} };
        deployment.pending_operations = [{ resource, type: "creating" }];
      });
      await two.fails("up");
      await isUntouched();
      await two.run("down");
      await isUntouched();
    });
  });

  describe("the profile on this machine", () => {
    const marker = () => join(dirname(one.clientFile), "../pulumi.json");
    const ownerIn = (text: string) => (JSON.parse(text) as { owner: string }).owner;
    const changes: [string, RegExp, () => void][] = [
      [
        "overwritten by another controller",
        /ipcontroller-client\.json was changed/,
        () => {
          writeFileSync(one.clientFile, JSON.stringify({ key: "another", interface: "tcp://::1" }));
        },
      ],
      [
        "removed",
        /ipcontroller-client\.json is missing/,
        () => {
          rmSync(one.clientFile);
        },
      ],
      [
        "readable by others",
        /ipcontroller-client\.json can be read by others/,
        () => {
          chmodSync(one.clientFile, 0o644);
        },
      ],
      [
        "with a damaged marker",
        /pulumi\.json was changed/,
        () => {
          writeFileSync(marker(), readFileSync(marker(), "utf8").slice(0, 20));
        },
      ],
    ];
    for (const [title, message, change] of changes) {
      it(`${title}: status and preview say so, and up writes it again`, async () => {
        const [client, mark] = [one.clientFile, marker()].map((file) => readFileSync(file, "utf8"));
        change();
        assert.match(await one.fails("status"), message);
        assert.match(await one.run("preview"), message);
        await one.run("up");
        assert.equal(readFileSync(one.clientFile, "utf8"), client);
        assert.equal(ownerIn(readFileSync(marker(), "utf8")), ownerIn(mark ?? ""));
        assert.match(await one.run("status"), /all is well/);
        assert.doesNotMatch(await one.run("preview"), /to (create|update|replace|delete)/);
        await isUntouched();
      });
    }
  });

  describe("what a refresh dropped from the state", () => {
    const network = /-network-local$/;
    const container = /-w1-container$/;
    const volume = /-volume-kept-local$/;

    it("a network is taken over by the next up, and nothing restarts", async () => {
      forget(one, network);
      assert.match(
        await one.fails("status"),
        /network ipp-test-owners on host local is not in the/,
      );
      assert.match(await one.run("up"), /1 imported/);
      await isUntouched();
      assert.doesNotMatch(await one.run("preview"), /to (create|update|replace|delete|import)/);
      assert.match(await one.run("status"), /all is well/);
    });

    it("a container is made again, and a volume keeps its content", async () => {
      forget(one, network, container, volume);
      await one.run("up");
      assert.equal(one.hello(), "1 {'Hello World'}");
      assert.equal(await docker("exec", `ipp-${NAME}-w1`, "cat", "/kept/file"), "results");
      assert.doesNotMatch(await one.run("preview"), /to (create|update|replace|delete|import)/);
      present = await ids();
    });
  });

  describe("a stack", () => {
    const profile = () => join(one.folder, `ipython/profile_${one.stack}/security`);
    const file = () => join(profile(), "ipcontroller-client.json");

    it("that is renamed keeps its cluster; the profile has the new name", async () => {
      one.pulumi("stack", "rename", "test-owners-renamed");
      one.stack = "test-owners-renamed";
      assert.ok(existsSync(join(one.folder, `stacks/Pulumi.${one.stack}.yaml`)));
      const preview = await one.run("preview");
      assert.doesNotMatch(preview, /container.*(create|replace|delete)/);
      await one.run("up");
      await isUntouched(one, file());
      assert.ok(!existsSync(one.clientFile));
      assert.match(await one.run("status"), /all is well/);
      assert.doesNotMatch(await one.run("preview"), /to (create|update|replace|delete)/);
    });

    it("that is imported under another name keeps its cluster", async () => {
      const state = join(one.folder, "exported.json");
      writeFileSync(state, one.pulumi("stack", "export"));
      cpSync(
        join(one.folder, `stacks/Pulumi.${one.stack}.yaml`),
        join(one.folder, "stacks/Pulumi.test-owners-imported.yaml"),
      );
      one.stack = "test-owners-imported";
      one.pulumi("config"); // makes the stack
      one.pulumi("stack", "import", "--force", "--file", state);
      assert.match(
        await one.fails("up"),
        /the state of stack test-owners-imported must have its name/,
      );
      const text = readFileSync(state, "utf8");
      writeFileSync(
        state,
        text.replaceAll("urn:pulumi:test-owners-renamed::", "urn:pulumi:test-owners-imported::"),
      );
      one.pulumi("stack", "import", "--file", state);
      await one.run("up");
      await isUntouched(one, file());
      assert.match(await one.run("status"), /all is well/);
      assert.doesNotMatch(await one.run("preview"), /to (create|update|replace|delete)/);
    });

    it("that another clone has keeps its cluster", async () => {
      for (const kept of [".local/state", ".local/passphrase", "stacks", "ipython"]) {
        rmSync(join(two.folder, kept), { recursive: true, force: true });
        cpSync(join(one.folder, kept), join(two.folder, kept), { recursive: true });
      }
      two.stack = one.stack;
      await two.run("up");
      await isUntouched(
        two,
        join(two.folder, `ipython/profile_${two.stack}/security/ipcontroller-client.json`),
      );
      assert.match(await two.run("status"), /all is well/);
    });

    it("that another backend has keeps its cluster", async () => {
      const state = join(one.folder, "exported.json");
      writeFileSync(state, one.pulumi("stack", "export"));
      mkdirSync(join(one.folder, "backend"));
      one.variables = {
        PULUMI_BACKEND_URL: `file://${join(one.folder, "backend")}`,
        PULUMI_CONFIG_PASSPHRASE_FILE: join(one.folder, ".local/passphrase"),
      };
      one.pulumi("config");
      one.pulumi("stack", "import", "--file", state);
      assert.match(await one.run("status"), /all is well/);
      assert.match(await one.run("up"), /unchanged/);
      await isUntouched(one, file());
    });
  });

  describe("down", () => {
    it("takes away what the state does not have", async () => {
      forget(one, /-network-local$/, /-w1-container$/, /-volume-kept-local$/);
      await one.run("down");
      assert.deepEqual(await dockerObjects(NAME), []);
    });
  });
});
