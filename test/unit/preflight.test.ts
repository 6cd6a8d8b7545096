import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { planCluster } from "../../components/lib/plan";
import { findDrift } from "../../config/drift";
import type { UnreachedPorts } from "../../config/reach";
import { clusterStatus } from "../../config/status";
import { stateOf } from "../../config/stackState";
import { findUntracked } from "../../config/untracked";
import { beginProbes, parseProbe, type Probe, probeHosts, problems } from "../../config/preflight";

const plan = planCluster("dev", {
  imageContext: "docker",
  basePort: 30000,
  hosts: {
    a: { docker: "ssh://root@192.0.2.1", architecture: "amd64" },
    b: { docker: "ssh://root@192.0.2.2" },
    c: { docker: "ssh://root@192.0.2.3" },
  },
  workers: [
    { name: "w1", host: "a" },
    { name: "w2", host: "b", sshPort: 2202, memoryMiB: 4096 },
    { name: "w3", host: "c", gpus: "all" },
  ],
});

const byIpv6 = planCluster("dev", {
  imageContext: "docker",
  basePort: 30000,
  hosts: {
    a: { docker: "ssh://root@[fd77::11]" },
    b: { docker: "ssh://root@[fd77::12]" },
    c: { docker: "ssh://root@192.0.2.3" },
  },
  workers: [
    { name: "w1", host: "a" },
    { name: "w2", host: "b", sshPort: 2202 },
    { name: "w3", host: "c" },
  ],
});

const GOOD = `time 1000
architecture x86_64
docker 20.10.24+dfsg1
cores 8
memory 8589934592
disk 52428800
`;

const DOCKER_27 = GOOD.replace("20.10.24+dfsg1", "27.0.3");

/** What is wrong with host b, given what the probe printed there. */
function told(output: string, host = "b", cluster = plan): string[] {
  const probe = parseProbe(output, 1000);
  return problems(cluster, new Map([[host, probe]])).map(
    ({ kind, host: on, message }) => `${kind} ${on}: ${message}`,
  );
}

describe("the look at a host", () => {
  it("reads what the probe prints", () => {
    const { cores, memory, disk, docker, architecture, clockOffset } = parseProbe(GOOD, 990);
    assert.deepEqual(
      { cores, memory, disk, docker, architecture, clockOffset },
      {
        cores: 8,
        memory: 8 * 1024 ** 3,
        disk: 50 * 1024 ** 3,
        docker: "20.10.24+dfsg1",
        architecture: "x86_64",
        clockOffset: 10,
      },
    );
  });

  it("finds nothing to complain of in a good host", () => {
    assert.deepEqual(told(GOOD), []);
    assert.deepEqual(told(GOOD, "a"), []);
  });

  it("is content when a host tells nothing but that Docker runs", () => {
    assert.deepEqual(told("docker 27.1.0\n"), []);
  });

  const bad: [string, string, RegExp, string?][] = [
    [
      "a Docker that does not answer",
      "docker-error permission denied",
      /^unreachable b: no Docker Engine answers at ssh:\/\/root@192.0.2.2 \(permission denied\): start it, or correct hosts\.b$/,
    ],
    [
      "a host without Docker",
      "docker-missing the command docker is not on the PATH there",
      /^unreachable b: .*docker is not on the PATH/,
    ],
    [
      "an old Docker",
      GOOD.replace("20.10.24+dfsg1", "19.03.5"),
      /^unfit b: its Docker Engine is 19.03.5; 20.10 or newer is needed$/,
    ],
    [
      "another architecture",
      GOOD.replace("x86_64", "aarch64"),
      /^unfit a: its architecture is arm64, not amd64$/,
      "a",
    ],
    [
      "a clock ahead",
      GOOD.replace("time 1000", "time 1100"),
      /^warning b: its clock is 100 s ahead of this machine's$/,
    ],
    [
      "a clock behind",
      GOOD.replace("time 1000", "time 900"),
      /^warning b: its clock is 100 s behind this machine's$/,
    ],
    [
      "a full disk",
      GOOD.replace("disk 52428800", "disk 1024"),
      /^warning b: only 0.0 GiB of disk are free/,
    ],
    [
      "too little memory",
      GOOD.replace("8589934592", "1073741824"),
      /^warning b: its workers may use 4.0 GiB of memory; it has 1.0 GiB$/,
    ],
    [
      "a controller out of reach",
      `${GOOD}controller 30004 No route to host`,
      /^unfit b: the controller at 192.0.2.1:30004 can't be reached from there \(No route to host\): open the ports/,
    ],
    [
      "a controller whose name only the host knows",
      `${GOOD}dns unknown 10.9.0.53`,
      /^unfit b: containers there can't resolve the controller's name 192.0.2.1: DNS \(10.9.0.53\) does not know it.*set hosts.a.address to an IP address$/,
    ],
    [
      "DNS that does not answer",
      `${GOOD}dns silent 10.9.0.53 10.9.0.54`,
      /^warning b: containers there can't resolve .*DNS \(10.9.0.53 10.9.0.54\) does not answer/,
    ],
    [
      "a port in use",
      `${GOOD}listens 00000000:089A`,
      /^unfit b: port 2202 of w2 \(SSH\) is already in use there: end what uses it, or set sshPort of w2$/,
    ],
    [
      "GPUs that there are none for",
      GOOD,
      /^warning c: worker w3 wants GPUs, and the NVIDIA Container Toolkit is not found there/,
      "c",
    ],
    ["a port in use at that address", `${GOOD}listens 020200C0:089A`, /^unfit b: port 2202/],
    [
      "a port in use by IPv6",
      `${GOOD}listens 00000000000000000000000000000000:089A`,
      /^unfit b: port 2202/,
    ],
    [
      "a port that Docker has",
      `${GOOD}published 0.0.0.0:2200-2210->2200-2210/tcp, 80/tcp`,
      /^unfit b: port 2202/,
    ],
    [
      "a port of the controller in use",
      `${GOOD}published 192.0.2.1:30003->80/tcp`,
      /^unfit a: port 30003 of controller .* or set controller.basePort$/,
      "a",
    ],
  ];
  for (const [title, output, message, host] of bad) {
    it(`tells of ${title}`, () => {
      const found = told(output, host);
      assert.equal(found.length, 1, found.join("\n"));
      assert.match(found[0] as string, message);
    });
  }

  it("passes over ports of this cluster, and of other addresses", () => {
    const own = `${GOOD}own 192.0.2.2:2202->2222/tcp\nlistens 020200C0:089A\n`;
    assert.deepEqual(told(own), []);
    assert.deepEqual(told(`${GOOD}listens 0100007F:089A`), []);
    assert.deepEqual(told(`${GOOD}published 127.0.0.1:2202->80/tcp`), []);
  });

  it("tells ports of one IPv6 address from those of another", () => {
    const listens = (words: string) => told(`${DOCKER_27}listens ${words}:089A`, "b", byIpv6);
    assert.match(listens("000077FD000000000000000012000000")[0] ?? "", /^unfit b: port 2202/);
    assert.match(listens("00000000000000000000000000000000")[0] ?? "", /^unfit b: port 2202/);
    assert.deepEqual(listens("000077FD000000000000000013000000"), []); // fd77::13
    assert.deepEqual(listens("00000000000000000000000001000000"), []); // ::1
    assert.deepEqual(listens("020200C0"), []);
    const published = (address: string) =>
      told(`${DOCKER_27}published ${address}:2202->80/tcp`, "b", byIpv6);
    assert.match(published("[fd77:0:0::12]")[0] ?? "", /^unfit b: port 2202/);
    assert.match(published("fd77::12")[0] ?? "", /^unfit b: port 2202/);
    assert.deepEqual(published("[fd77::13]"), []);
    const mapped = "0000000000000000FFFF0000020200C0"; // ::ffff:192.0.2.2
    assert.match(told(`${GOOD}listens ${mapped}:089A`)[0] ?? "", /^unfit b: port 2202/);
  });

  it("names a controller that is dialled by IPv6 as one dials it", () => {
    const [message] = told(`${DOCKER_27}controller 30000 no answer within 4 s`, "b", byIpv6);
    assert.match(
      message ?? "",
      /^unfit b: the controller at \[fd77::11\]:30000 can't be reached from there \(no answer/,
    );
  });

  it("tells of a Docker that may give containers no IPv6, where they need it", () => {
    const warning =
      /^warning b: containers there may not reach the controller by IPv6: Docker before/;
    for (const output of [GOOD, `${DOCKER_27}ip6tables false\n`]) {
      assert.match(told(output, "b", byIpv6).join("\n"), warning);
      assert.deepEqual(told(output, "a", byIpv6), []);
      assert.deepEqual(told(output, "b"), []);
    }
    assert.deepEqual(told(DOCKER_27, "b", byIpv6), []);
    assert.deepEqual(told(`${GOOD}ip6tables true\n`, "b", byIpv6), []);
    assert.deepEqual(told("", "b", byIpv6), []);
  });

  it("is content with GPUs where the NVIDIA Container Toolkit is", () => {
    assert.deepEqual(told(`${GOOD}gpus nvidia-ctk\n`, "c"), []);
  });

  describe("whose ports can't be reached from this machine", () => {
    const reason = "no answer within 4 s";
    const found = (output: string, host: string, ...unreached: UnreachedPorts[]) => {
      const probe: Probe = { ...parseProbe(output, 1000), unreached };
      return {
        problems: problems(plan, new Map([[host, probe]])).map(
          ({ kind, message }) => `${kind}: ${message}`,
        ),
        missing: clusterStatus(plan, new Map([[host, probe]])).missing.filter((line) =>
          line.startsWith(`host ${host}`),
        ),
      };
    };
    const w2 = { part: "w2", purpose: "SSH", from: 2202, to: 2202, reason };
    const clients = { part: "controller", purpose: "clients", from: 30009, to: 30014, reason };
    const ssh = { part: "controller", purpose: "SSH", from: 30018, to: 30018, reason };

    it("gets a line that says where the ports are listed; Docker may still open them", () => {
      const { problems: all, missing } = found(GOOD, "b", w2);
      assert.equal(all.length, 1);
      assert.match(
        all[0] ?? "",
        /^warning: ports 2202 \(w2, SSH\) can't be reached from this machine \(no answer within 4 s\): open the ports that docs\/several-machines.md lists/,
      );
      assert.deepEqual(missing, []);
    });

    it("is named by the status once its containers run", () => {
      const { missing } = found(`${GOOD}runs w2`, "b", w2);
      assert.equal(missing.length, 1);
      assert.match(missing[0] ?? "", /^host b: ports 2202 \(w2, SSH\) can't be reached from this/);
    });

    it("stops an update where that is the controller, and runs", () => {
      assert.match(
        found(GOOD, "a", clients, ssh).problems.join(),
        /^warning: ports 30009-30014 \(/,
      );
      assert.match(found(`${GOOD}runs controller`, "a", clients).problems.join(), /^warning: /);
      assert.match(found(`${GOOD}runs controller`, "a", clients, ssh).problems.join(), /^unfit: /);
    });
  });

  it("passes on why there is no answer", () => {
    const silent: Probe = { failure: "no answer within 9 s", taken: [], parts: new Map() };
    const [problem] = problems(plan, new Map([["b", silent]]));
    assert.equal(problem?.kind, "unreachable");
    assert.match(problem.message, /no answer within 9 s/);
  });
});

/** Stands for docker on a host with many containers; each asked one takes SECONDS to answer. */
const DOCKER = `#!/bin/sh
case "$1 $2" in
  info*) echo "20.10.24 8 8589934592 /tmp" ;;
  "ps --all") seq -f "dev|w%g|running|id|" "$COUNT"; echo "dev|gone|exited|id|" ;;
  exec*)
    echo + >>"$LOG"
    sleep "$SECONDS_EACH"
    echo - >>"$LOG"
    echo '{"drift": []}'
    ;;
  inspect*) echo 2026-01-01T00:00:00Z ;;
esac
`;

describe("a look at hosts that was begun", () => {
  it("is the one that is asked for, once", async () => {
    const folder = mkdtempSync(join(tmpdir(), "probe-test-"));
    const log = join(folder, "log");
    const docker = `#!/bin/sh\ncase $1 in info) echo >>${log}; echo "27.0.1 2 1024 /tmp" ;; esac\n`;
    writeFileSync(join(folder, "docker"), docker, { mode: 0o755 });
    const { PATH } = process.env;
    process.env.PATH = `${folder}:${PATH ?? ""}`;
    try {
      const here = planCluster("dev", { imageContext: "", workers: [{ name: "w1" }] });
      beginProbes("dev", here);
      assert.equal((await probeHosts("dev", here)).get("local")?.docker, "27.0.1");
      assert.equal(readFileSync(log, "utf8"), "\n");
      await probeHosts("dev", here);
      assert.equal(readFileSync(log, "utf8"), "\n\n");
    } finally {
      process.env.PATH = PATH;
      rmSync(folder, { recursive: true });
    }
  });
});

describe("what others have on a host", () => {
  const mounts = [{ volume: "data", target: "/data" }];
  const shared = planCluster("dev", { imageContext: "", workers: [{ name: "w1", mounts }] });
  const state = stateOf("dev", [
    {
      urn: "urn:pulumi:dev::p::docker:index/container:Container::dev-w1-container",
      type: "docker:index/container:Container",
      id: "c-old",
      provider: "urn:pulumi:dev::p::pulumi:providers:docker::dev-local::uuid",
    },
  ]);
  const owned = { ...stateOf("dev", [], "mine"), tracks: () => false };
  const look = (lines: string[], of = state) =>
    parseProbe(`${GOOD}${lines.join("\n")}\n`, 1000, {
      cluster: of.cluster,
      owns: (object) => of.owns("local", object),
      tracks: (object) => of.tracks("local", object),
    });
  const stops = (...lines: string[]) =>
    problems(shared, new Map([["local", look(lines)]])).map(({ kind, message }) => {
      assert.equal(kind, "unfit");
      return message;
    });

  for (const [object, line] of [
    ["container ipp-dev-controller", "container|c|ipp-dev-controller|dev|other|controller"],
    ["container ipp-dev-w1", "container|c|ipp-dev-w1|dev|other|w1"],
    ["network ipp-dev", "network|n|ipp-dev|dev|other|network"],
    ["volume ipp-dev-volume-data", "volume|v|ipp-dev-volume-data|dev|other|volume"],
  ] as const) {
    it(`stops where it is ${object}`, () => {
      const [message = "", ...more] = stops(
        `object ${line}`,
        "published 127.0.0.1:20000->2222/tcp",
      );
      assert.deepEqual(more, []);
      assert.match(message, /^another cluster, dev \(owner other\), has /);
      assert.ok(message.includes(`has ${object} there: rename this stack`), message);
    });
  }

  it("stops where another cluster has a container of that name", () => {
    const line = "object container|c|ipp-dev-w1|de|other|v-w1";
    assert.match(
      stops(line)[0] ?? "",
      /^another cluster, de \(owner other\), has container ipp-dev-w1/,
    );
  });

  it("stops where something has such a name that is no cluster's", () => {
    assert.match(
      stops("object network|n|ipp-dev|||")[0] ?? "",
      /^something else has the name of network ipp-dev there: remove it/,
    );
  });

  it("lists a few names of many", () => {
    const lines = [1, 2, 3].map((n) => `object network|n${String(n)}|ipp-dev|dev|other|network`);
    const message = stops(...lines, "object container|c|ipp-dev-w1|dev|other|w1", ...lines)[0];
    assert.match(message ?? "", /, 3 more there/);
  });

  it("is no obstacle under other names, nor is what an older version made of this cluster", () => {
    const lines = [
      "object container|c|ipp-dev-w9|dev|other|w9",
      "object container|c|ipp-lab-w1|lab|other|w1",
      "object container|c-old|ipp-dev-w1|dev||w1",
    ];
    assert.deepEqual(stops(...lines), []);
  });

  it("is not taken for the cluster's parts", () => {
    const older = (id: string) => look([`object container|${id}|ipp-dev-w1|dev||w1`, "runs w1"]);
    assert.deepEqual([...older("c-old").parts.keys()], ["w1"]);
    assert.deepEqual([...older("c-other").parts.keys()], []);
  });

  it("is told by the host from what the cluster has", () => {
    const docker = `#!/bin/sh
[ "$1 $2" = "ps --all" ] && printf 'dev|%s|running|id-%s|127.0.0.1:%s->1/tcp|ipp-dev-%s|%s\\n' \
  w1 w1 1001 w1 mine  w2 w2 1002 w2 other  w3 w3 1003 w3 ""
[ "$1" = exec ] && echo '{"drift": []}'
true
`;
    const folder = mkdtempSync(join(tmpdir(), "probe-test-"));
    try {
      writeFileSync(join(folder, "docker"), docker, { mode: 0o755 });
      const probe = (owner: string) =>
        execFileSync("sh", ["-s", "--", "ssh://root@192.0.2.1", "dev", owner], {
          input: readFileSync(join(__dirname, "../../config/probe.sh")),
          encoding: "utf8",
          env: { PATH: `${folder}:${process.env.PATH ?? ""}` },
        });
      const found = probe("mine").split("\n");
      assert.deepEqual(found.filter((line) => /^(runs|status|published|own) /.test(line)).sort(), [
        "own 127.0.0.1:1001->1/tcp",
        "own 127.0.0.1:1003->1/tcp",
        "published 127.0.0.1:1002->1/tcp",
        "runs w1",
        "runs w3",
        'status w1 {"drift": []}',
        'status w3 {"drift": []}',
      ]);
      assert.ok(found.includes("object container|id-w2|ipp-dev-w2|dev|other|w2"));
      assert.deepEqual([...parseProbe(probe(""), 0).parts.keys()], ["w3"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("differs from what is the cluster's own and not in its state", () => {
    const probe = look(
      [
        "object container|c|ipp-dev-w1|dev|mine|w1",
        "object network|n1|ipp-dev|dev|mine|network",
        "object network|n2|ipp-dev|dev|mine|network",
        "object volume|v|v|dev|mine|volume",
        "object volume|other|other|dev|other|volume",
      ],
      owned,
    );
    const found = findUntracked(shared, new Map([["local", probe]]), owned);
    const named = (objects: { id: string }[]) => objects.map(({ id }) => id);
    assert.deepEqual(
      [named(found.remove), named(found.import), named(found.keep)],
      [["c", "n2"], ["n1"], ["v"]],
    );
    const withNetwork = { ...owned, networks: new Set(["local"]) };
    const again = findUntracked(shared, new Map([["local", probe]]), withNetwork);
    assert.deepEqual(named(again.remove), ["c", "n1", "n2"]);
  });
});

describe("the probe on a host with many containers of the cluster", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "probe-test-"));
    writeFileSync(join(folder, "docker"), DOCKER, { mode: 0o755 });
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** What it finds, and how many containers it asked at once at most. */
  const look = (count: number, secondsEach: string) => {
    const log = join(folder, "log");
    const output = execFileSync("sh", ["-s", "--", "ssh://root@192.0.2.1", "dev"], {
      input: readFileSync(join(__dirname, "../../config/probe.sh")),
      encoding: "utf8",
      env: {
        PATH: `${folder}:${process.env.PATH ?? ""}`,
        LOG: log,
        COUNT: String(count),
        SECONDS_EACH: secondsEach,
      },
    });
    let now = 0;
    let most = 0;
    for (const line of readFileSync(log, "utf8").split("\n")) {
      now += line === "+" ? 1 : line === "-" ? -1 : 0;
      most = Math.max(most, now);
    }
    return { parts: parseProbe(output, 0).parts, most };
  };

  it("asks all of them, a few at a time", () => {
    const { parts, most } = look(60, "0");
    assert.equal(parts.size, 61);
    assert.equal(parts.get("gone")?.state, "exited");
    assert.deepEqual(parts.get("w60"), { state: "running", status: { drift: [] } });
    assert.ok(most <= 16, String(most));
  });

  it("ends in time where they are slow, and still knows which run", () => {
    const started = Date.now();
    const { parts, most } = look(300, "1");
    assert.ok(Date.now() - started < 9_000);
    assert.equal([...parts.values()].filter(({ state }) => state === "running").length, 300);
    const heard = [...parts.values()].filter(({ status }) => status !== undefined).length;
    assert.ok(heard > 0 && heard < 300, String(heard));
    assert.ok(most <= 16, String(most));
  });
});

/** Stands for docker on a host with a controller, which tells of w1 and of a w2 that is elsewhere. */
const DOCKER_WITH_CONTROLLER = `#!/bin/sh
case "$1 $2" in
  "ps --all") printf 'dev|%s|%s|id-%s|\\n' controller running controller w1 running w1 w2 running w2 w3 exited w3 ;;
  "exec id-controller")
    echo "$2" >>"$LOG"
    sleep "$SECONDS_EACH"
    w1='{"role": "worker", "container": "id-w1", "drift": ["told"]}'
    w2='{"role": "worker", "container": "id-elsewhere", "drift": ["told"]}'
    w3='{"role": "worker", "container": "id-w3", "drift": ["told"]}'
    echo "{\\"container\\": \\"id-controller\\", \\"workers\\": {\\"w1\\": $w1, \\"w2\\": $w2, \\"w3\\": $w3}}"
    ;;
  exec*)
    echo "$2" >>"$LOG"
    echo '{"drift": ["asked"]}'
    ;;
  inspect*) echo 2026-01-01T00:00:00Z ;;
esac
`;

describe("the probe on the controller's host", () => {
  /** What it finds, and which containers it asked, with a controller that takes so many seconds. */
  const look = (seconds: string) => {
    const folder = mkdtempSync(join(tmpdir(), "probe-test-"));
    try {
      const log = join(folder, "log");
      writeFileSync(join(folder, "docker"), DOCKER_WITH_CONTROLLER, { mode: 0o755 });
      const output = execFileSync("sh", ["-s", "--", "ssh://root@192.0.2.1", "dev"], {
        input: readFileSync(join(__dirname, "../../config/probe.sh")),
        encoding: "utf8",
        env: {
          PATH: `${folder}:${process.env.PATH ?? ""}`,
          LOG: log,
          SECONDS_EACH: seconds,
        },
      });
      const asked = readFileSync(log, "utf8").trim().split("\n").sort();
      return { parts: parseProbe(output, 0).parts, asked };
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  it("asks, besides the controller, only those that it does not tell of", () => {
    const { parts, asked } = look("0");
    assert.deepEqual(asked, ["id-controller", "id-w2"]);
    assert.deepEqual(parts.get("w1")?.status?.drift, ["told"]);
    assert.deepEqual(parts.get("w2")?.status?.drift, ["asked"]);
    assert.deepEqual([parts.get("w3")?.state, parts.get("w3")?.status], ["exited", undefined]);
    assert.equal(parts.get("controller")?.status?.workers?.w1?.drift?.[0], "told");
  });

  it("asks all where the controller takes long", () => {
    const { parts, asked } = look("3");
    assert.deepEqual(asked, ["id-controller", "id-controller", "id-w1", "id-w2"]);
    assert.deepEqual(parts.get("w1")?.status?.drift, ["asked"]);
    assert.equal(parts.get("controller")?.state, "running");
  });
});

describe("folders that are to be mounted", () => {
  const mounted = planCluster("dev", {
    workers: [
      {
        name: "w1",
        mounts: [
          { source: "/srv/a b", target: "/data/a" },
          { source: "/srv/read", target: "/data/read", readOnly: true },
        ],
      },
    ],
  });
  const found = (...lines: string[]) =>
    problems(
      mounted,
      new Map([["local", parseProbe(lines.map((line) => `${line}\n`).join(""), 1000)]]),
    ).map(({ kind, message }) => `${kind}: ${message}`);

  for (const fine of [
    "mount 1000 0 755 /srv/a b",
    "mount 0 1000 775 /srv/a b",
    "mount 0 0 1777 /srv/a b",
    "mount 0 0 755 /srv/read",
    "",
  ]) {
    it(`are fine: ${fine}`, () => {
      assert.deepEqual(found(fine), []);
    });
  }

  it("must exist", () => {
    assert.deepEqual(found("mount missing 0 0 /srv/a b"), [
      "unfit: mounts of worker w1: source /srv/a b must exist there; make it (`mkdir -p`, " +
        "`chown 1000:1000`), or correct source",
    ]);
  });

  it("are named where engines can't write to them, or not even read them", () => {
    assert.deepEqual(found("mount 0 0 755 /srv/a b", "mount 0 0 700 /srv/read"), [
      "warning: mounts of worker w1: source /srv/a b: engines, which run as user 1000:1000, can't " +
        "write to it (it is of 0:0, mode 755); `chown 1000:1000 /srv/a b` there, or set readOnly: true",
      "warning: mounts of worker w1: source /srv/read: engines, which run as user 1000:1000, can't " +
        "read it (it is of 0:0, mode 700); `chown 1000:1000 /srv/read` there",
    ]);
  });

  it("are not judged where containers have other users than the host", () => {
    assert.deepEqual(found("remapped yes", "mount 0 0 755 /srv/a b"), []);
  });
});

describe("containers that do not run", () => {
  const plan = planCluster("dev", { workers: [{ name: "w1" }] });
  for (const state of ["created", "paused", "restarting", "removing", "dead", "exited"]) {
    it(`are replaced when they are ${state}, for a reason of each one's own`, () => {
      const reasonOf = (id: string) => {
        const line = `ended w1 ${state} 0001-01-01T00:00:00Z ${id}`;
        const drift = findDrift(plan, new Map([["local", parseProbe(`${line}\n`, 1000)]]));
        assert.ok(drift.messages.includes(`worker w1: its container is ${state}; it is replaced`));
        return drift.containers.w1;
      };
      assert.notEqual(reasonOf("abc"), undefined);
      assert.notEqual(reasonOf("abc"), reasonOf("def"));
      assert.equal(reasonOf("abc"), reasonOf("abc"));
    });
  }
});
