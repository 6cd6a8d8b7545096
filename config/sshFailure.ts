/** Lines of `ssh` that frame others, that tell of no failure, or that follow whatever the reason is. */
const BESIDES =
  /^(@|\*\* |Warning: Permanently added |Connection (to \S+ )?(closed|reset) |Disconnected from |kex_exchange_identification: |stdio forwarding failed)/;

/** Lines that tell more of the reason than the last one does. */
const CAUSES =
  /^(Load key |Warning: Identity file |Offending \S+ key in \/|Host key for .* has changed|No \S+ host key is known )/;

/**
 * Why `ssh` failed, in one line: the last that it said of it, and what led to that.
 *
 * @param printed what it printed on standard error; of a bastion, what the script that makes the
 *   connection passes on.
 */
export function sshFailure(printed: string): string | undefined {
  const [, connection = "", told] = /(can't connect to \S+ port \d+: )([^]*)/.exec(printed) ?? [];
  const lines = (told ?? printed)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const last = lines.filter((line) => !BESIDES.test(line)).at(-1) ?? lines.at(-1);
  if (last === undefined) {
    return undefined;
  }
  const reasons = new Set([...lines.filter((line) => CAUSES.test(line)), last]);
  return connection + [...reasons].map((line) => line.replace(/\.$/, "")).join("; ");
}
