import assert from "node:assert/strict";

import { type TestHost, TestHosts } from "../hosts";
import type { Inventory } from "../hosts/testHost";
import { type Outcome, TestStack } from "./testStack";

const NAME = "test-hosts";

/** Each engine's worker, host name of its container, process, and the variable `mark`. */
type Engines = Record<string, { worker: string; pid: number; mark: string | null }>;

const LOOK = `
import json
def about():
    import os
    return {"worker": os.environ["IPP_NAME"], "pid": os.getpid(), "mark": globals().get("mark")}
print(json.dumps({c._engines[i]: c[i].apply_sync(about) for i in c.ids}))
`;

/** Names of the resources that an operation changes, without the stack's own line. */
function changed({ steps }: Outcome, ...ops: string[]): string[] {
  const names = steps
    .filter(({ op }) => ops.length === 0 || ops.includes(op))
    .map(({ name }) => name.replace(`${NAME}-`, ""));
  return [...new Set(names)].filter((name) => !name.startsWith("ipyparallel-")).sort();
}

/** What two inventories differ in, apart from images, which stay on hosts as a cache. */
function difference(before: Inventory, after: Inventory): string[] {
  const kinds = ["containers", "networks", "volumes", "files"] as const;
  return kinds.flatMap((kind) => [
    ...after[kind].filter((one) => !before[kind].includes(one)).map((one) => `+ ${one}`),
    ...before[kind].filter((one) => !after[kind].includes(one)).map((one) => `- ${one}`),
  ]);
}

const FOLDER = `/srv/it's a "folder" of $HOME`;
const TEXT = `it's "quoted", $HOME \\ 100 % ünïcode`;

describe("a cluster on several hosts", function () {
  this.timeout(400_000);
  let hosts: TestHosts;
  let stack: TestStack;
  let inventories: Inventory[];

  const settings = (host: TestHost) => ({
    docker: host.dockerUrl,
    hostKey: host.hostKey,
    identityFile: hosts.client.identityFile,
  });
  /** The three hosts: by IPv4, by IPv6 where there is one, and as a user in the docker group. */
  const three = () => {
    const [first, second, third] = ["host1", "host2", "host3"].map((name) => hosts.host(name)) as [
      TestHost,
      TestHost,
      TestHost,
    ];
    return {
      host1: settings(first),
      host2: settings(second),
      host3: {
        ...settings(third),
        docker: `ssh://worker@${third.address6 === undefined ? third.address : `[${third.address6}]`}`,
      },
    };
  };
  const groupOf = (memory: string) => ({ name: "b", host: "host2", count: 2, memory });
  const withFolder = {
    name: "c",
    host: "host3",
    env: { TEXT },
    mounts: [{ source: FOLDER, target: "/data/in put" }],
  };
  const look = async () => JSON.parse(await stack.python(LOOK)) as Engines;
  const untouched = async (before: Engines, ...workers: string[]) => {
    const now = await look();
    for (const [ident, engine] of Object.entries(before)) {
      if (workers.includes(engine.worker)) {
        assert.deepEqual(now[ident], engine);
      }
    }
  };

  before(async () => {
    hosts = await TestHosts.start({
      hosts: [
        {},
        { sshPort: 2222 },
        {},
        { name: "bastion", docker: false },
        { name: "inner", behind: "bastion" },
      ],
    });
    await hosts.host("host3").addUser("worker", { dockerGroup: true });
    await hosts.host("host3").exec(`mkdir "${FOLDER.replaceAll(/["$]/g, "\\$&")}"
      echo "from the host" >"${FOLDER.replaceAll(/["$]/g, "\\$&")}/a file"`);
    inventories = await Promise.all(hosts.hosts.map((host) => host.inventory()));
    stack = await TestStack.create(NAME, {
      hosts: three(),
      workers: [
        { name: "a", engines: 2 },
        groupOf("256MiB"),
        withFolder,
        { name: "d", host: "host3" },
      ],
    });
  });
  after(async () => {
    await stack?.remove();
    await hosts?.stop();
  });

  it("comes up in one go and says hello from every engine", async () => {
    await stack.up();
    await stack.python('c[:].push({"mark": "kept"}, block=True)');
    assert.equal(
      await stack.python('print(len(c), set(c[:].apply_sync(lambda: "Hello World")))'),
      "6 {'Hello World'}",
    );
    const engines = (await stack.output("engines")) as { worker: string }[];
    assert.deepEqual(engines.map(({ worker }) => worker).sort(), [
      "a",
      "a",
      "b-1",
      "b-2",
      "c",
      "d",
    ]);
  });

  it("shows no change afterwards, also after a refresh", async () => {
    assert.deepEqual((await stack.preview()).steps, []);
    await stack.refresh();
    assert.deepEqual((await stack.preview()).steps, []);
  });

  it("gives engines a folder and a text with spaces, quotes and dollars as they are", async () => {
    const read = `
def read():
    import os
    open("/data/in put/a file").read()
    return [os.environ["TEXT"], open("/data/in put/a file").read()]
import json
print(json.dumps([c[i].apply_sync(read) for i in c.ids if c._engines[i].startswith("c-")]))`;
    assert.deepEqual(JSON.parse(await stack.python(read)), [[TEXT, "from the host\n"]]);
  });
});
