import js from "@eslint/js";
import tseslint from "typescript-eslint";

const readonly = (names) => Object.fromEntries(names.map((name) => [name, "readonly"]));
const node = readonly([
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
]);
const mocha = readonly(["after", "afterEach", "before", "beforeEach", "describe", "it"]);
const commonJs = {
  __dirname: "readonly",
  exports: "writable",
  module: "writable",
  require: "readonly",
};

export default tseslint.config(
  { ignores: ["node_modules", ".local", "docs/api", "**/bin/**"] },
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // `_` stands for what a pattern has to name and the code does not need.
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", destructuredArrayIgnorePattern: "^_" },
      ],
    },
  },
  {
    // They import the packed library, which is not installed here.
    files: ["examples/typescript/*.ts"],
    extends: [tseslint.configs.disableTypeChecked],
  },
  { files: ["**/*.mjs"], languageOptions: { globals: node } },
  { files: ["test/**/*.mjs"], languageOptions: { globals: mocha } },
  {
    files: ["**/*.cjs"],
    languageOptions: { sourceType: "commonjs", globals: { ...node, ...commonJs } },
  },
);
