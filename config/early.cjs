// What Node runs before the SDK of Pulumi (nodeargs in Pulumi.yaml). To load that takes half a second
// on one core, in which the hosts are looked at already; index.ts takes what was found.
"use strict";

const Module = require("node:module");

// Packages that the SDK loads at once, and uses only to turn functions into text, to trace itself, or
// to read what is not here. They are half of what it loads.
const LATER =
  /^(typescript|@npmcli\/arborist|normalize-package-data|js-yaml|@opentelemetry\/(?!api).*)$/;
const SDK = require.resolve("@pulumi/pulumi/package.json").replace(/package\.json$/, "");

const load = Module._load;
Module._load = function (name, parent, ...rest) {
  if (!LATER.test(name) || !parent?.filename?.startsWith(SDK)) {
    return load.call(this, name, parent, ...rest);
  }
  // As TypeScript's own helpers see a module: with a default export, whether it has one or not.
  const get = (_, key) => {
    if (key === "__esModule") return true;
    const module = load.call(this, name, parent, ...rest);
    return key === "default" && !module.__esModule ? module : module[key];
  };
  return new Proxy({}, { get });
};

require("./translate.cjs");
try {
  require("./beginLook.ts");
} catch {
  // The program needs the same modules, and tells what is wrong with them.
}
