import assert from "node:assert/strict";

import fc from "fast-check";

import { Mistake } from "../../components/lib/mistake";
import { planCluster } from "../../components/lib/plan";
import { ConfigError, parseCluster } from "../../config/parse";
import { expandWorkers, toImageArgs, toWorkerSpec } from "../../config/resolve";
import { isRecord } from "../../config/words";

/** One of everything, without a mistake. */
const WHOLE = {
  profile: "lab",
  hosts: {
    head: { docker: "ssh://root@192.0.2.10", address: "192.0.2.10", bind: "192.0.2.10" },
    other: {
      docker: "ssh://user@[fd77::11]:2222",
      bastion: { host: "gate.example.org", port: 22, user: "jump" },
      identityFile: "~/.ssh/id_ed25519",
      architecture: "amd64",
    },
  },
  controller: {
    host: "head",
    basePort: 31000,
    heartbeatPeriod: 200,
    heartbeatTimeout: 10,
    memory: "1GiB",
  },
  images: { default: { packages: ["numpy==2.2.6"], aptPackages: ["vim"], base: "debian:12" } },
  registry: { address: "registry.example.org:5000", username: "reader" },
  defaults: { memory: "2GiB", env: { A: "1", B: 2, C: true }, restart: "always" },
  workers: [
    { name: "near", engines: 2, cpus: 1.5, gpus: "all", threads: 1, labels: { team: "optics" } },
    {
      name: "far",
      count: 3,
      host: "other",
      engines: "cores",
      cpuset: "0-3,8",
      shmSize: "1GiB",
      tmpSize: "100MiB",
      ulimits: { nofile: 20000, memlock: { soft: -1, hard: -1 } },
      mounts: [
        { source: "/srv/a", target: "/data/a", readOnly: true },
        { volume: "scratch", target: "/data/scratch" },
      ],
      overrides: { "far-2": { memory: "4GiB", sshPort: 2201 } },
    },
  ],
  imports: ["numpy"],
  keyGeneration: 1,
  timeout: 120,
  preflight: false,
};

type Path = (string | number)[];

/** The paths of all parts of a value, the whole one included. */
function paths(value: unknown, at: Path = []): Path[] {
  const inner = Array.isArray(value)
    ? value.flatMap((item, index) => paths(item, [...at, index]))
    : isRecord(value)
      ? Object.entries(value).flatMap(([key, item]) => paths(item, [...at, key]))
      : [];
  return [at, ...inner];
}

/** A copy of a value with one part changed. */
function changed(
  value: unknown,
  [step, ...rest]: Path,
  change: (part: unknown) => unknown,
): unknown {
  if (step === undefined) {
    return change(value);
  }
  const copy = Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) };
  const inner = copy as Record<string | number, unknown>;
  inner[step] = changed(inner[step], rest, change);
  return copy;
}

/** What comes of a value: mistakes that name a path each, or a plan. */
function outcome(value: unknown): string[] {
  try {
    const { controller, registry: _, preflight: __, ...cluster } = parseCluster(value);
    const { defaults, workers, minReady: ___, ...args } = cluster;
    planCluster("stack", {
      ...args,
      images: toImageArgs(args.images),
      imageContext: "docker",
      controllerHost: controller?.host,
      basePort: controller?.basePort,
      workers: expandWorkers({ defaults, workers }).map((worker) => toWorkerSpec(worker, 4)),
    });
    return [];
  } catch (error) {
    assert.ok(error instanceof Mistake, `not told as a mistake: ${String(error)}`);
    const mistakes = error instanceof ConfigError ? error.mistakes : [error.message];
    assert.ok(mistakes.length > 0);
    for (const mistake of mistakes) {
      assert.match(mistake, /^[^\n]{3,600}$/);
      assert.doesNotMatch(mistake, NO_WORDS);
    }
    return mistakes;
  }
}

const anyPath = fc.constantFrom(...paths(WHOLE));
/** What a mistake says only where a value was put into words wrongly. */
const NO_WORDS = /undefined|\[object|NaN|allowed is nothing/;
const anyValue = fc.oneof(
  fc
    .anything({ maxDepth: 2, values: [fc.string(), fc.integer(), fc.double(), fc.boolean()] })
    // A mistake repeats the texts that it tells of.
    .filter((value) => !NO_WORDS.test(JSON.stringify(value) ?? "")),
  fc.constantFrom(null, "", -1, 0, 1e99, "1", [], {}, [null], { a: null }, "\0", "__proto__"),
);

describe("any stack file", () => {
  it("that is whole has no mistake", () => {
    assert.deepEqual(outcome(WHOLE), []);
  });

  it("gives a cluster or clear mistakes, whatever one part of it is replaced by", () => {
    fc.assert(
      fc.property(anyPath, anyValue, (path, value) => {
        outcome(changed(WHOLE, path, () => value));
      }),
      { numRuns: 3000, examples: [[["workers", 1, "ulimits", "memlock", "hard"], NaN]] },
    );
  });

  it("names an unknown key by its path, wherever that is", () => {
    const maps = paths(WHOLE).filter((path) => {
      const part = path.reduce<unknown>(
        (inner, step) => (inner as Record<string, unknown>)[step],
        WHOLE,
      );
      return (
        isRecord(part) &&
        !/env|labels|ulimits|hosts$|images$|overrides$/.test(path.join(".").replace(/memlock$/, ""))
      );
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...maps),
        fc.stringMatching(/^[A-Za-z]{1,12}x{3}$/),
        (path, key) => {
          const mistakes = outcome(
            changed(WHOLE, path, (part) => ({ ...(part as object), [key]: 1 })),
          );
          assert.equal(mistakes.length, 1, mistakes.join("\n"));
          const at = path
            .map((step) => (typeof step === "number" ? `[${String(step)}]` : `.${step}`))
            .join("");
          assert.ok(mistakes[0]?.startsWith(`${at}.${key}: unknown key`.slice(1)), mistakes[0]);
        },
      ),
    );
  });

  it("suggests the key that was meant, with one letter left out, doubled or swapped", () => {
    const keys = Object.keys(WHOLE).filter((key) => key.length > 4);
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.nat(), fc.nat(2), (key, at, kind) => {
        const i = 1 + (at % (key.length - 2));
        const near =
          kind === 0
            ? key.slice(0, i) + key.slice(i + 1)
            : kind === 1
              ? key.slice(0, i) + key.charAt(i) + key.slice(i)
              : key.slice(0, i) + key.charAt(i + 1) + key.charAt(i) + key.slice(i + 2);
        fc.pre(near !== key);
        const { [key]: value, ...others } = WHOLE as Record<string, unknown>;
        const mistakes = outcome({ ...others, [near]: value });
        assert.ok(
          mistakes.some((mistake) =>
            mistake.startsWith(`${near}: unknown key, did you mean "${key}"?`),
          ),
          mistakes.join("\n"),
        );
      }),
    );
  });

  it("names as many mistakes as there are, in parts apart from each other", () => {
    const wrong: [Path, unknown][] = [
      [["profile"], 3],
      [["hosts", "head", "docker"], "x"],
      [["controller", "basePort"], "x"],
      [["images", "default", "packages"], "x"],
      [["defaults", "memory"], "x"],
      [["workers", 0, "engines"], 0],
      [["workers", 1, "mounts", 0, "target"], "x"],
      [["timeout"], 0],
    ];
    fc.assert(
      fc.property(fc.subarray(wrong, { minLength: 1 }), (chosen) => {
        const value = chosen.reduce(
          (part: unknown, [path, bad]) => changed(part, path, () => bad),
          WHOLE,
        );
        assert.equal(outcome(value).length, chosen.length);
      }),
    );
  });
});
