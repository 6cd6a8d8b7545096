// Test hosts by hand. See README.md in this folder.
import { TestHosts } from "./testHosts";
import type { TestHost } from "./testHost";

const USAGE = `usage: node -r ts-node/register test/hosts/cli.ts COMMAND

  up [COUNT] [--bastion] [--image REFERENCE]
                      make hosts (3) that stay until "down"; with --bastion, one more that is sshd
                      only, and the last of the others is reached through it alone
  list                all hosts on this machine, those of running tests, too
  env [NUMBER]        what to eval in a shell so that "docker -H ssh://..." and "ssh" reach them
  ACTION HOST [NUMBER]
                      cut or restore (its link), reboot, off or on, stop, kill or start
                      (its dockerd), inventory
  down [NUMBER]       remove those made with "up", or those of that number whoever made them; also
                      what killed tests have left

NUMBER is the third number of the addresses; without it, the last that were made with "up".`;

const ACTIONS: Record<string, (host: TestHost) => Promise<unknown>> = {
  cut: (host) => host.cutLink(),
  restore: (host) => host.restoreLink(),
  reboot: (host) => host.reboot(),
  off: (host) => host.powerOff(),
  on: (host) => host.powerOn(),
  stop: (host) => host.stopDockerd(),
  kill: (host) => host.killDockerd(),
  start: (host) => host.startDockerd(),
  inventory: async (host) => console.log(JSON.stringify(await host.inventory(), undefined, 2)),
};

async function main([command, ...args]: string[]): Promise<void> {
  if (command === "up") return up(args);
  if (command === "down") return down(args[0]);
  if (command === "list") return TestHosts.standing().forEach(show);
  if (command === "env") return showEnvironment(chosen(args[0]));
  const action = ACTIONS[command ?? ""];
  const [host, number] = args;
  if (!action || !host) throw new Error(USAGE);
  await action(chosen(number).host(host));
}

async function up(args: string[]): Promise<void> {
  const rest = [...args];
  const images: string[] = [];
  for (let at = rest.indexOf("--image"); at >= 0; at = rest.indexOf("--image")) {
    images.push(...rest.splice(at, 2).slice(1));
  }
  const bastion = rest.includes("--bastion");
  const [count = "3", ...unknown] = rest.filter((each) => each !== "--bastion");
  if (!/^\d+$/.test(count) || unknown.length > 0) throw new Error(USAGE);
  const specs = Array.from({ length: Number(count) }, () => ({}));
  const last = specs.pop();
  const hosts = bastion
    ? [...specs, { ...last, behind: "bastion" }, { name: "bastion", docker: false }]
    : undefined;
  const made = await TestHosts.start({
    count: hosts?.length ?? Number(count),
    hosts,
    images,
    keep: true,
  });
  show(made);
  console.log(`\nIn a shell: eval "$(node -r ts-node/register test/hosts/cli.ts env)"`);
}

async function down(number?: string): Promise<void> {
  await TestHosts.sweep();
  const hosts = number ? [chosen(number)] : TestHosts.standing().filter(({ kept }) => kept);
  for (const each of hosts) await each.stop();
}

function chosen(number?: string): TestHosts {
  const standing = TestHosts.standing();
  const found = number
    ? standing.find((each) => String(each.number) === number)
    : standing.filter(({ kept }) => kept).pop();
  if (!found) throw new Error(number ? `no hosts have the number ${number}` : "no hosts are up");
  return found;
}

function show(hosts: TestHosts): void {
  console.log(`${hosts.number}: ${hosts.kept ? "kept until down" : "go with their process"}`);
  for (const host of hosts.hosts) {
    const { docker, behind } = host.settings;
    const notes = [docker ? "" : "no Docker", behind ? `behind ${behind}` : ""].filter(Boolean);
    console.log([`  ${host.name}`, host.dockerUrl, host.address6 ?? "", ...notes].join("  "));
  }
  console.log(`  client: ssh ${hosts.client.sshOpts.join(" ")}`);
}

function showEnvironment({ client }: TestHosts): void {
  console.log(`export PATH=${client.commands}:"$PATH"`);
}

main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
