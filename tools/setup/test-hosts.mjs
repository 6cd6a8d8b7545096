// What the tests on real hosts use besides: an SSH server, tools to make and watch networks,
// firewalls, a registry and a clock that is wrong.
import { aptInstall, whichRoot } from "./shell.mjs";

const packageOf = {
  sshd: "openssh-server",
  ip: "iproute2",
  iptables: "iptables",
  tcpdump: "tcpdump",
  nft: "nftables",
  ufw: "ufw",
  "docker-registry": "docker-registry",
  htpasswd: "apache2-utils",
  faketime: "faketime",
};

const missing = () =>
  Object.entries(packageOf)
    .filter(([program]) => !whichRoot(program))
    .map(([, debianPackage]) => debianPackage);

export const testHosts = {
  name: "test hosts",

  async needed() {
    const packages = missing();
    return packages.length > 0 ? `installing ${packages.join(", ")}` : undefined;
  },

  run: (log) => aptInstall(missing(), log),
};
