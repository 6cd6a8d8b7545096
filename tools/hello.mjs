// `npm run hello`: the example, and then what does not fit between this client and the engines.
import { spawnSync } from "node:child_process";

const options = { stdio: "inherit", env: { ...process.env, INIT_CWD: process.cwd() } };
const example = process.argv[2] ?? "examples/hello.py";
const { status } = spawnSync(".local/venv/bin/python", [example], options);
const check = ["-r", "./config/translate.cjs", "tools/client.ts", "--warn", ".local/venv"];
spawnSync("node", check, options);
process.exitCode = status ?? 1;
