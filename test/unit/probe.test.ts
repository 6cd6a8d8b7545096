import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { parseProbe } from "../../config/preflight";

const run = promisify(execFile);
const PROBE = readFileSync(join(__dirname, "../../config/probe.sh"), "utf8");

/** The folder of a command on this machine. */
async function where(command: string): Promise<string> {
  return (await run("sh", ["-c", `command -v ${command}`])).stdout.trim();
}

describe("the probe on a machine without timeout, as macOS is", () => {
  const tools = ["awk", "cat", "date", "df", "env", "grep", "head", "sed", "seq", "sleep", "tail"];
  const more = ["tr", "uname", "xargs", "od", "dd"];
  let folder: string;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "probe-test-"));
    for (const tool of [...tools, ...more, "sh", "bash"]) {
      symlinkSync(await where(tool), join(folder, tool));
    }
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** What the probe finds with that `docker exec`. */
  const look = async (shell: string, exec: string) => {
    const docker = join(folder, "docker");
    writeFileSync(
      docker,
      `#!/bin/sh
case "$1 $2" in
  info*) echo "28.0.1 8 8589934592 /tmp" ;;
  "ps --all") printf 'mac|%s|running|id-%s|\\n' controller controller w1 w1 w2 w2 ;;
  exec*) ${exec} ;;
esac
`,
    );
    chmodSync(docker, 0o755);
    const child = run(join(folder, shell), ["-s", "--", "unix:///run/x.sock", "mac"], {
      env: { PATH: folder },
    });
    child.child.stdin?.end(PROBE);
    const { stdout, stderr } = await child;
    return { ...parseProbe(stdout, 0), stderr };
  };

  for (const shell of ["sh", "bash"]) {
    it(`finds what there is, in ${shell}`, async () => {
      const { docker, parts, stderr } = await look(shell, `echo '{"drift": ["'$2'"]}'`);
      assert.equal(stderr, "");
      assert.equal(docker, "28.0.1");
      assert.deepEqual(
        ["controller", "w1", "w2"].map((part) => parts.get(part)?.status?.drift),
        [["id-controller"], ["id-w1"], ["id-w2"]],
      );
    });

    it(`gives up what does not answer, in ${shell}`, async () => {
      const { parts } = await look(shell, "exec sleep 60");
      assert.deepEqual([...parts.keys()].sort(), ["controller", "w1", "w2"]);
      assert.ok([...parts.values()].every(({ status }) => status === undefined));
    });
  }
});

/** Answers to questions for a name: no such name, or one address. */
function answer(question: Buffer, known: string[]): Buffer {
  const labels: string[] = [];
  let at = 12;
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.toString("latin1", at + 1, at + 1 + length));
    at += length + 1;
  }
  const found = known.includes(labels.join("."));
  const head = Buffer.from(question.subarray(0, 12));
  head.writeUInt16BE(found ? 0x8180 : 0x8183, 2);
  head.writeUInt16BE(found ? 1 : 0, 6);
  const address = Buffer.from("c00c00010001000000050004c0000201", "hex");
  return Buffer.concat([head, question.subarray(12, at + 5), ...(found ? [address] : [])]);
}

describe("the probe's question to DNS", () => {
  let server: Socket;
  let port: number;
  let known: string[] | undefined;
  const lookUp = /^look_up='\n([^']*)'$/m.exec(PROBE)?.[1] ?? "";

  before(async () => {
    server = createSocket("udp4").bind(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    ({ port } = server.address());
    server.on("message", (question, from) => {
      if (known !== undefined) {
        server.send(answer(question, known), from.port);
      }
    });
  });

  after(() => {
    server.close();
  });

  const ask = async (name: string, domains: string, ...names: string[]) => {
    known = names;
    const script = lookUp.replace("$server/53", `$server/${String(port)}`);
    const { stdout } = await run("bash", ["-c", script, "look-up", name, "127.0.0.1", domains]);
    return stdout.trim();
  };

  it("hears of a name that a server knows, as it is or in a domain", async () => {
    assert.equal(await ask("head.example.org", "", "head.example.org"), "known");
    assert.equal(await ask("head", "lab.test example.org", "head.example.org"), "known");
  });

  it("hears of a name that no server knows", async () => {
    assert.equal(await ask("head.example.org", "example.org", "other.example.org"), "unknown");
  });

  it("says so where no server answers", async () => {
    const asked = ask("head", "", "head");
    known = undefined;
    assert.equal(await asked, "silent");
  });
});
