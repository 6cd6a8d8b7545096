import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

import { type TestHost, TestHosts } from "../hosts";
import type { Inventory } from "../hosts/testHost";
import { failureOf, TestStack } from "./testStack";

const run = promisify(execFile);
const NAME = "test-ipv6";
const PROJECT = resolve(__dirname, "../..");

const HAS_IPV6 = existsSync("/proc/net/if_inet6");
const TITLE = "a controller that is reached by IPv6 alone";

(HAS_IPV6 ? describe : describe.skip)(
  HAS_IPV6 ? TITLE : `${TITLE} (this machine has no IPv6)`,
  function () {
    this.timeout(400_000);
    let hosts: TestHosts;
    let stack: TestStack;
    let inventories: Inventory[];

    const settings = (host: TestHost, docker: string) => ({
      docker,
      hostKey: host.hostKey,
      identityFile: hosts.client.identityFile,
    });
    /** Declares two workers on each host, and the controller on host1 by IPv6 or host2 by IPv4. */
    const cluster = (controllerHost: "host1" | "host2") => {
      const [first, second] = [hosts.host("host1"), hosts.host("host2")];
      return {
        hosts: {
          host1: settings(first, first.dockerUrl6),
          host2: settings(second, second.dockerUrl),
        },
        profile: "ssh",
        controller: { host: controllerHost },
        workers: [
          { name: "near", host: "host1", engines: 2 },
          { name: "far", host: "host2", engines: 2 },
        ],
      };
    };
    /** How many engines say hello to a client that does what `up` prints. */
    const hello = async () => {
      const before = ((await stack.output("beforeConnect")) ?? "") as string;
      const code = 'print(len(c), set(c[:].apply_sync(lambda: "Hello World")))';
      return stack.python(code, "ssh", before);
    };
    /** The cluster's networks on a host, and whether they have IPv6. */
    const networks = async (host: string) => {
      const ids = await hosts
        .host(host)
        .docker("network", "ls", "-q", "--filter", `label=ipyparallel.cluster=${NAME}`);
      const format = "{{.Name}} {{.EnableIPv6}}";
      const found = await hosts
        .host(host)
        .docker("network", "inspect", "-f", format, ...ids.trim().split("\n"));
      return found.trim().split("\n");
    };

    before(async () => {
      hosts = await TestHosts.start({ hosts: [{}, { dockerIpv6: true }] });
      inventories = await Promise.all(hosts.hosts.map((host) => host.inventory()));
      stack = await TestStack.create(NAME, cluster("host1"));
    });
    after(async () => {
      await stack?.remove();
      await hosts?.stop();
    });

    it("says from where its ports can't be reached, before anything is made", async () => {
      const host = hosts.host("host1");
      const rule = `INPUT -p tcp -s ${hosts.host("host2").address6 ?? ""} -j DROP`;
      await host.exec(`ip6tables -I ${rule}`);
      try {
        const output = await failureOf(stack.up());
        assert.match(
          output,
          /host host2: the controller at \[fd77:\S+\]:\d+ can't be reached from there \(no answer within 4 s\)/,
        );
        assert.match(output, /Nothing was changed/);
      } finally {
        await host.exec(`ip6tables -D ${rule}`);
      }
    });

    it("comes up in one go and says hello from every engine", async () => {
      const { output } = await stack.up();
      assert.doesNotMatch(output, /may not reach the controller by IPv6/);
      assert.equal(await hello(), "4 {'Hello World'}");
    });

    it("gives IPv6 to the network of those alone who dial it", async () => {
      assert.deepEqual(await networks("host1"), [`ipp-${NAME} false`]);
      assert.deepEqual(await networks("host2"), [`ipp-${NAME}-ipv6 true`]);
    });

    it("is what a client finds only if its program says so, as the example does", async () => {
      await assert.rejects(stack.python("print(c.ids)", "ssh"), /TimeoutError/);
      const program = join(PROJECT, "examples/hello_ipv6.py");
      const { stdout } = await run(join(PROJECT, ".local/venv/bin/python"), [program], {
        env: { ...process.env, IPYTHONDIR: stack.ipython },
        timeout: 60_000,
      });
      assert.match(stdout, /^\[0, 1, 2, 3\]\n\['Hello World'(, 'Hello World'){3}\]\n$/);
    });

    it("shows no change afterwards, also after a refresh", async () => {
      assert.deepEqual((await stack.preview()).steps, []);
      await stack.refresh();
      assert.deepEqual((await stack.preview()).steps, []);
    });

    for (const [to, way] of [
      ["host2", "IPv4"],
      ["host1", "IPv6"],
    ] as const) {
      it(`moves to a host that is reached by ${way}, in one go`, async () => {
        stack.declare(cluster(to));
        await stack.up();
        assert.equal(await hello(), "4 {'Hello World'}");
        const ipv6 = way === "IPv6";
        assert.equal((await stack.output("beforeConnect")) !== "", ipv6);
        assert.deepEqual(await networks("host1"), [`ipp-${NAME} false`]);
        const name = ipv6 ? `ipp-${NAME}-ipv6 true` : `ipp-${NAME} false`;
        assert.deepEqual(await networks("host2"), [name]);
        assert.deepEqual((await stack.preview()).steps, []);
      });
    }

    it("leaves both hosts as they were when it is destroyed", async () => {
      await stack.destroy();
      for (const [index, host] of hosts.hosts.entries()) {
        // Images stay, as a cache.
        assert.deepEqual(
          { ...(await host.inventory()), images: [] },
          { ...inventories[index], images: [] },
        );
      }
    });
  },
);
