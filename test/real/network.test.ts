import assert from "node:assert/strict";
import { createSocket } from "node:dgram";

import { type TestHost, TestHosts } from "../hosts";
import { failureOf, TestStack } from "./testStack";

const NAME = "test-network";

describe("what is in the way of connections", function () {
  this.timeout(600_000);
  let hosts: TestHosts;
  let first: TestHost;
  let second: TestHost;

  const settings = (host: TestHost) => ({
    docker: host.dockerUrl,
    hostKey: host.hostKey,
    identityFile: hosts.client.identityFile,
  });

  before(async () => {
    hosts = await TestHosts.start({ count: 2 });
    [first, second] = [hosts.host("host1"), hosts.host("host2")];
  });
  after(async () => {
    await hosts?.stop();
  });

  describe("a controller's name that only the hosts' own files know", () => {
    let stack: TestStack;
    let dns: ReturnType<typeof createSocket>;
    let resolver: string;

    before(async () => {
      // Knows no name at all: an answer with the kind 3.
      dns = createSocket("udp4").bind(53, hosts.gateway);
      dns.on("message", (question, from) => {
        const answer = Buffer.from(question);
        answer.writeUInt16BE(0x8183, 2);
        dns.send(answer, from.port, from.address);
      });
      resolver = await second.exec("cat /etc/resolv.conf");
      await second.exec(`echo "nameserver ${hosts.gateway}" >/etc/resolv.conf
        echo "${first.address} head.lan" >>/etc/hosts`);
      stack = await TestStack.create(`${NAME}-name`, {
        hosts: { head: { ...settings(first), address: "head.lan" }, other: settings(second) },
        controller: { host: "head" },
        workers: [{ name: "a", host: "other" }],
      });
    });
    after(async () => {
      await stack?.remove();
      dns?.close();
      await second.exec(`printf %s '${resolver}' >/etc/resolv.conf
        sed '/head.lan/d' /etc/hosts >/tmp/hosts; cat /tmp/hosts >/etc/hosts`);
    });

    it("is named by the preview, and stops an update before anything is made", async () => {
      const problem = new RegExp(
        `host other: containers there can't resolve the controller's name head.lan: DNS \\(${hosts.gateway}\\) does not know it`,
      );
      assert.match((await stack.preview()).output, problem);
      const output = await failureOf(stack.up());
      assert.match(output, problem);
      assert.match(output, /Nothing was changed/);
      assert.deepEqual((await first.inventory()).containers, []);
    });

    it("is fine once DNS knows it", async () => {
      dns.removeAllListeners("message");
      dns.on("message", (question, from) => {
        const answer = Buffer.from(question);
        answer.writeUInt16BE(0x8180, 2);
        answer.writeUInt16BE(1, 6);
        const record = Buffer.from("c00c00010001000000050004", "hex");
        const address = Buffer.from(first.address.split(".").map(Number));
        const end = question.indexOf(0, 12) + 5;
        dns.send(
          Buffer.concat([answer.subarray(0, end), record, address]),
          from.port,
          from.address,
        );
      });
      const { output } = await stack.preview();
      assert.doesNotMatch(output, /can't resolve the controller's name/);
    });
  });

  describe("a firewall that swallows the SSH port of a worker's container", () => {
    // Before Docker passes on what is published.
    const rule = "-t mangle PREROUTING -i eth0 -p tcp --dport 23456 -j DROP";
    const firewall = (action: string) =>
      second.exec(`iptables ${rule.replace("PREROUTING", `${action} PREROUTING`)}`);
    const line =
      /ports 23456 \(b, SSH\) can't be reached from this machine \(no answer within 4 s\)/;
    let stack: TestStack;

    before(async () => {
      await firewall("-A");
      stack = await TestStack.create(`${NAME}-ports`, {
        hosts: { head: settings(first), other: settings(second) },
        controller: { host: "head" },
        workers: [{ name: "a" }, { name: "b", host: "other", sshPort: 23456 }],
      });
    });
    after(async () => {
      await stack?.remove();
    });

    it("is named by the preview, with the page that lists the ports", async () => {
      const { output } = await stack.preview();
      assert.match(output, line);
      assert.match(output, /docs\/several-machines.md lists/);
    });

    it("keeps that worker alone from being up, and the status says why", async () => {
      const output = await failureOf(stack.up({ continueOnError: true }));
      assert.match(output, /after 10 failed attempts: dial tcp \S+:23456: i\/o timeout/);
      const { missing } = await stack.status();
      assert.ok(
        missing.some((one) => one.startsWith("host other: ") && line.test(one)),
        missing.join("\n"),
      );
    });

    it("is gone once the firewall lets the port through", async () => {
      await firewall("-D");
      assert.doesNotMatch((await stack.up()).output, /can't be reached from this machine/);
      assert.deepEqual((await stack.status()).missing, []);
      assert.equal(await stack.python("print(len(c))"), "2");
    });
  });

  describe("without hosts in the stack file, and DOCKER_HOST set", () => {
    const { DOCKER_HOST, PATH } = process.env;
    let stack: TestStack;

    before(async () => {
      process.env.PATH = hosts.client.env.PATH;
      process.env.DOCKER_HOST = first.dockerUrl;
      stack = await TestStack.create(`${NAME}-docker`, { workers: [{ name: "w", engines: 2 }] });
    });
    after(async () => {
      await stack?.remove();
      process.env.PATH = PATH;
      if (DOCKER_HOST === undefined) {
        delete process.env.DOCKER_HOST;
      } else {
        process.env.DOCKER_HOST = DOCKER_HOST;
      }
    });

    it("comes up on that Docker, and is found there", async () => {
      await stack.up();
      const { containers } = await first.inventory();
      assert.deepEqual(containers, [`ipp-${stack.name}-controller`, `ipp-${stack.name}-w`]);
      assert.equal(await stack.python("print(len(c))"), "2");
      assert.deepEqual((await stack.status()).missing, []);
    });

    it("leaves nothing there when it is taken down", async () => {
      await stack.destroy();
      assert.deepEqual((await first.inventory()).containers, []);
    });

    it("is refused by name where that Docker can't be used", async () => {
      process.env.DOCKER_HOST = "tcp://192.0.2.7:2376";
      try {
        const output = await failureOf(stack.preview());
        assert.match(output, /DOCKER_HOST=tcp:\/\/192.0.2.7:2376: must be unix:\/\/\/path/);
      } finally {
        process.env.DOCKER_HOST = first.dockerUrl;
      }
    });
  });
});
