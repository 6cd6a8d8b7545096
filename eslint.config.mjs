import js from "@eslint/js";
import tseslint from "typescript-eslint";

const node = Object.fromEntries(
  [
    "AbortSignal",
    "Buffer",
    "URL",
    "clearInterval",
    "clearTimeout",
    "console",
    "fetch",
    "performance",
    "process",
    "setInterval",
    "setTimeout",
  ].map((name) => [name, "readonly"]),
);
const commonJs = {
  __dirname: "readonly",
  exports: "writable",
  module: "writable",
  require: "readonly",
};

export default tseslint.config(
  { ignores: ["node_modules", ".local", "**/bin/**"] },
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
  },
  { files: ["**/*.mjs"], languageOptions: { globals: node } },
  {
    files: ["**/*.cjs"],
    languageOptions: { sourceType: "commonjs", globals: { ...node, ...commonJs } },
  },
);
