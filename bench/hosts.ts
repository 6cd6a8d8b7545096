// Test hosts for as long as standard input stays open: hosts.ts COUNT IMAGE...
//
// Each has the images of this machine's Docker that are named. Prints a line of JSON: what has to
// be known of the hosts, or what is missing to make any.
import { missingRequirements, TestHosts } from "../test/hosts";

async function main([count, ...images]: string[]): Promise<void> {
  const missing = missingRequirements();
  if (missing.length > 0) return console.log(JSON.stringify({ missing }));
  // However the bench ends, its end of the pipe is closed; the hosts go when this process exits.
  process.stdin.on("end", () => process.exit()).resume();
  const { hosts, client, gateway } = await TestHosts.start({ count: Number(count), images });
  const { identityFile } = client;
  const declared: Record<string, object> = {};
  for (const { name, dockerUrl, hostKey } of hosts) {
    declared[name] = { docker: dockerUrl, hostKey, identityFile };
  }
  console.log(JSON.stringify({ declared, gateway, path: client.env.PATH }));
}

main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
