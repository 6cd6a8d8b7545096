import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import Ajv from "ajv";
import { safeLoad } from "js-yaml";

import { planCluster } from "../../components/lib/plan";
import { pins } from "../../config/lock";
import { parseCluster } from "../../config/parse";
import { expandWorkers, toImageArgs, toWorkerSpec } from "../../config/resolve";
import { schemaText } from "../../config/schema";

const STACKS = join(__dirname, "../../stacks");
const schema = readFileSync(join(STACKS, "schema.json"), "utf8");
const conforms = new Ajv({ schemaId: "auto" }).compile(JSON.parse(schema) as object);

describe("stacks/schema.json", () => {
  it("is what config/schema.ts says (npm run schema)", () => {
    assert.equal(schema, schemaText());
  });

  it("explains every key", () => {
    const silent: string[] = [];
    const visit = (node: unknown, path: string) => {
      const { properties = {}, ...rest } = node as { properties?: Record<string, object> };
      for (const [key, value] of Object.entries(properties)) {
        if (path !== "" && !("description" in value)) {
          silent.push(`${path}.${key}`);
        }
        visit(value, `${path}.${key}`);
      }
      for (const inner of Object.values(rest)) {
        if (typeof inner === "object" && inner !== null) {
          visit(inner, path);
        }
      }
    };
    visit(JSON.parse(schema), "");
    assert.deepEqual(
      silent.filter((path) => !/\.(soft|hard|secure)$/.test(path)),
      [],
    );
  });

  const wrong: [string, unknown][] = [
    ["an unknown key", { workers: [{ name: "a", engine: 1 }] }],
    ["no workers", {}],
    ["a number out of range", { workers: [{ name: "a", engines: 0 }] }],
    ["a wrong type", { workers: [{ name: "a", env: [] }] }],
    ["a wrong form", { workers: [{ name: "a", memory: "4GB" }] }],
  ];
  for (const [title, cluster] of wrong) {
    it(`refuses ${title}, as the program does`, () => {
      assert.throws(() => parseCluster(cluster));
      assert.equal(conforms({ config: { "ipyparallel:cluster": cluster } }), false);
    });
  }
});

for (const file of readdirSync(STACKS).filter((name) => name.endsWith(".yaml"))) {
  describe(`stacks/${file}`, () => {
    const text = readFileSync(join(STACKS, file), "utf8");
    const content = safeLoad(text) as { config: Record<string, unknown> };

    it("names the schema for editors, and conforms to it", () => {
      assert.match(text, /^# yaml-language-server: \$schema=\.\/schema\.json\n/);
      assert.ok(conforms(content), JSON.stringify(conforms.errors));
    });

    it("asks for no other version of a package than the one that every image has", () => {
      const { images = {} } = parseCluster(content.config["ipyparallel:cluster"]);
      const fixed = new Map(pins().map((pin) => [pin.split("==")[0], pin]));
      for (const wanted of Object.values(images).flatMap(({ packages = [] }) => packages)) {
        assert.equal(wanted, fixed.get(wanted.split("==")[0]) ?? wanted);
      }
    });

    it("is a cluster without mistakes", () => {
      const { workers, controller, ...same } = parseCluster(content.config["ipyparallel:cluster"]);
      const { defaults, registry: _, preflight: __, minReady: ___, ...args } = same;
      planCluster("stack", {
        ...args,
        images: toImageArgs(args.images),
        imageContext: "docker",
        controllerHost: controller?.host,
        workers: expandWorkers({ workers, defaults }).map((worker) => toWorkerSpec(worker, 4)),
      });
    });
  });
}
