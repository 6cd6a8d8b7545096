// Begins to look at the hosts of the cluster that Pulumi is about to run the program for.
import { parseCluster } from "./parse";
import { beginProbes } from "./preflight";
import { planDeclared } from "./resolve";
import { programBackend, readState } from "./stackState";

/** The cluster in a stack's configuration as Pulumi hands it to a program, in either of its forms. */
function declaredCluster(): unknown {
  const values = JSON.parse(process.env.PULUMI_CONFIG ?? "{}") as Record<string, string>;
  const text = values["ipyparallel:cluster"] ?? values["ipyparallel:config:cluster"];
  return text === undefined ? undefined : JSON.parse(text);
}

/** The name of the stack, an argument of what Pulumi runs. */
function stackName(): string | undefined {
  const { argv } = process;
  return argv.includes("--stack") ? argv[argv.indexOf("--stack") + 1] : undefined;
}

try {
  const stack = stackName();
  const cluster = parseCluster(declaredCluster());
  if (stack !== undefined && cluster.preflight !== false) {
    readState(stack, programBackend())
      .then((state) => {
        beginProbes(state.cluster, planDeclared(state.cluster, cluster), state);
      })
      .catch(noop);
  }
} catch {
  noop();
}

/** What is wrong there the program tells. */
function noop(): void {
  return;
}
