/** A wrong value of `ipyparallel:cluster`, and how each of its mistakes begins. */
export type WrongFile = [title: string, cluster: unknown, ...mistakes: string[]];

const workers = [{ name: "w1" }];
const root = (settings: object) => ({ workers, ...settings });
const worker = (settings: object) => ({ workers: [{ name: "w1", ...settings }] });
const host = (settings: object) =>
  root({ hosts: { a: { docker: "ssh://root@192.0.2.1", ...settings } } });
const image = (settings: object) => root({ images: { default: settings } });
const mount = (settings: object) =>
  worker({ mounts: [{ target: "/data/x", source: "/srv/x", ...settings }] });

const sha256 = `sha256:${"0".repeat(64)}`;
const name = "1 to 40 lower-case letters";
const size = "a size such as 512MiB or 1.5GiB";
const pythons = 'is given; allowed is one of "3.11", "3.12", "3.13", "3.14"';
const address = "an IP address or a host name";

/** At least one for each key and each rule. */
export const wrongStackFiles: WrongFile[] = [
  // The whole
  ["nothing", undefined, "ipyparallel:cluster: is missing"],
  [
    "null",
    null,
    "ipyparallel:cluster: null is given; allowed is a map with the keys profile, hosts",
  ],
  ["a text", "workers", 'ipyparallel:cluster: "workers" is given; allowed is a map'],
  ["a list", [], "ipyparallel:cluster: [] is given; allowed is a map"],
  ["a number", 3, "ipyparallel:cluster: 3 is given; allowed is a map"],
  ["an empty map", {}, "workers: is missing; allowed is a list"],
  ["a key in plural", root({ profiles: "x" }), 'profiles: unknown key, did you mean "profile"?'],
  ["a key in singular", root({ host: {} }), 'host: unknown key, did you mean "hosts"?'],
  ["a key in capitals", root({ Profile: "x" }), 'Profile: unknown key, did you mean "profile"?'],
  [
    "a key with letters swapped",
    root({ contorller: {} }),
    'contorller: unknown key, did you mean "controller"?',
  ],
  [
    "a key of another place",
    root({ engines: 3 }),
    "engines: unknown key; allowed are profile, hosts",
  ],
  [
    "a key with dashes",
    root({ "key-generation": 1 }),
    'key-generation: unknown key, did you mean "keyGeneration"?',
  ],
  // profile, keyGeneration, timeout, preflight, imports
  [
    "a profile with a slash",
    root({ profile: "a/b" }),
    'profile: "a/b" is given; allowed is 1 to 64 letters',
  ],
  ["an empty profile", root({ profile: "" }), 'profile: "" is given; allowed is 1 to 64 letters'],
  [
    "a profile that is a number",
    root({ profile: 5 }),
    "profile: 5 is given; allowed is 1 to 64 letters",
  ],
  [
    "a profile that is null",
    root({ profile: null }),
    "profile: null is given; allowed is 1 to 64 letters",
  ],
  [
    "a negative generation",
    root({ keyGeneration: -1 }),
    "keyGeneration: -1 is given; allowed is a whole number from 0",
  ],
  [
    "a generation in words",
    root({ keyGeneration: "one" }),
    'keyGeneration: "one" is given; allowed is a whole number',
  ],
  [
    "a timeout too short",
    root({ timeout: 1 }),
    "timeout: 1 is given; allowed is a whole number from 5 to 3600",
  ],
  [
    "a timeout with a unit",
    root({ timeout: "60s" }),
    'timeout: "60s" is given; allowed is a whole number from 5 to 3600',
  ],
  [
    "a timeout that is no number",
    root({ timeout: true }),
    "timeout: true is given; allowed is a whole number from 5",
  ],
  [
    "preflight in words",
    root({ preflight: "no" }),
    'preflight: "no" is given; allowed is true or false',
  ],
  [
    "preflight as a number",
    root({ preflight: 0 }),
    "preflight: 0 is given; allowed is true or false",
  ],
  [
    "one import for a list",
    root({ imports: "numpy" }),
    'imports: "numpy" is given; allowed is a list',
  ],
  [
    "an import of no module",
    root({ imports: ["numpy scipy"] }),
    'imports[0]: "numpy scipy" is given; allowed is the name of a Python module',
  ],
  [
    "an import with a version",
    root({ imports: ["numpy", "a==1"] }),
    'imports[1]: "a==1" is given; allowed is the name of a Python',
  ],
  // hosts
  ["no hosts in hosts", root({ hosts: {} }), "hosts: is empty"],
  ["a list of hosts", root({ hosts: ["a"] }), 'hosts: ["a"] is given; allowed is a map'],
  [
    "a host that is a text",
    root({ hosts: { a: "ssh://x" } }),
    'hosts.a: "ssh://x" is given; allowed is a map with the keys docker',
  ],
  [
    "a host in capitals",
    root({ hosts: { Head: { docker: "ssh://x" } } }),
    `hosts.Head: "Head" can't be a name here; allowed are ${name}`,
  ],
  [
    "a host without an endpoint",
    root({ hosts: { a: {} } }),
    "hosts.a.docker: is missing; allowed is unix:///path",
  ],
  [
    "an endpoint by TCP",
    host({ docker: "tcp://192.0.2.1:2375" }),
    'hosts.a.docker: "tcp://192.0.2.1:2375" is given; allowed is unix:',
  ],
  [
    "an endpoint without scheme",
    host({ docker: "root@192.0.2.1" }),
    'hosts.a.docker: "root@192.0.2.1" is given; allowed is unix:',
  ],
  [
    "an endpoint with a path",
    host({ docker: "ssh://root@b/var" }),
    'hosts.a.docker: "ssh://root@b/var" is given; allowed is unix:',
  ],
  [
    "an endpoint with a bad port",
    host({ docker: "ssh://root@b:99999" }),
    'hosts.a.docker: "ssh://root@b:99999" is given; allowed is unix:',
  ],
  [
    "an endpoint with port 0",
    host({ docker: "ssh://root@b:0" }),
    'hosts.a.docker: "ssh://root@b:0" is given; allowed is unix:',
  ],
  [
    "an endpoint with a bad name",
    host({ docker: "ssh://root@a<b" }),
    'hosts.a.docker: "ssh://root@a<b" is given; allowed is unix:',
  ],
  [
    "an endpoint with a bad IPv6 address",
    host({ docker: "ssh://root@[fe80:zz::1]" }),
    'hosts.a.docker: "ssh://root@[fe80:zz::1]"',
  ],
  [
    "an endpoint with an IPv6 address in no brackets",
    host({ docker: "ssh://root@fd77::11" }),
    'hosts.a.docker: "ssh://root@fd77::11"',
  ],
  [
    "a relative socket",
    host({ docker: "unix://docker.sock" }),
    'hosts.a.docker: "unix://docker.sock" is given',
  ],
  [
    "an unknown key of a host",
    host({ user: "root" }),
    "hosts.a.user: unknown key; allowed are docker, address",
  ],
  [
    "a near miss of a host's key",
    host({ adress: "x" }),
    'hosts.a.adress: unknown key, did you mean "address"?',
  ],
  [
    "an address with a port",
    host({ address: "b.example.org:22" }),
    `hosts.a.address: "b.example.org:22" is given; allowed is ${address}`,
  ],
  [
    "an address with a space",
    host({ address: "a b" }),
    `hosts.a.address: "a b" is given; allowed is ${address}`,
  ],
  [
    "an address out of range",
    host({ address: "192.0.2.256" }),
    `hosts.a.address: "192.0.2.256" is given; allowed is ${address}`,
  ],
  [
    "an address that is a number",
    host({ address: 10 }),
    `hosts.a.address: 10 is given; allowed is ${address}`,
  ],
  [
    "an address of every interface",
    host({ address: "0.0.0.0" }),
    `hosts.a.address: "0.0.0.0" is given`,
  ],
  [
    "a bind that is a name",
    host({ bind: "eth0" }),
    'hosts.a.bind: "eth0" is given; allowed is an IP address of that host',
  ],
  [
    "a host key without type",
    host({ hostKey: "AAAA" }),
    'hosts.a.hostKey: "AAAA" is given; allowed is a public key',
  ],
  [
    "a fingerprint for a host key",
    host({ hostKey: "SHA256:abc" }),
    'hosts.a.hostKey: "SHA256:abc" is given; allowed is a public key',
  ],
  [
    "a private key for a host key",
    host({ hostKey: "-----BEGIN OPENSSH PRIVATE KEY-----" }),
    "hosts.a.hostKey: ",
  ],
  ["an empty identity file", host({ identityFile: "" }), 'hosts.a.identityFile: "" is given'],
  [
    "an unknown architecture",
    host({ architecture: "arm" }),
    'hosts.a.architecture: "arm" is given; allowed is one of "amd64", "arm64"',
  ],
  [
    "uname's architecture",
    host({ architecture: "x86_64" }),
    'hosts.a.architecture: "x86_64" is given; allowed is one of "amd64"',
  ],
  [
    "abandoned in words",
    host({ abandoned: "yes" }),
    'hosts.a.abandoned: "yes" is given; allowed is true or false',
  ],
  [
    "an abandoned host with the controller",
    host({ abandoned: true }),
    "hosts.a.abandoned: the controller runs there",
  ],
  [
    "a bastion that is a text",
    host({ bastion: "gate" }),
    'hosts.a.bastion: "gate" is given; allowed is a map with the keys host',
  ],
  ["a bastion without a host", host({ bastion: {} }), "hosts.a.bastion.host: is missing"],
  [
    "a bastion's port",
    host({ bastion: { host: "g", port: 0 } }),
    "hosts.a.bastion.port: 0 is given; allowed is a whole number from 1 to 65535",
  ],
  [
    "a bastion's user",
    host({ bastion: { host: "g", user: "" } }),
    'hosts.a.bastion.user: "" is given',
  ],
  [
    "a bastion for this machine's Docker",
    root({ hosts: { a: { docker: "unix:///x", bastion: { host: "g" } } } }),
    "hosts.a.bastion: is for ssh:// endpoints",
  ],
  [
    "a bastion's unknown key",
    host({ bastion: { host: "g", hostkey: "x" } }),
    'hosts.a.bastion.hostkey: unknown key, did you mean "hostKey"?',
  ],
  // controller
  [
    "a controller that is a text",
    root({ controller: "local" }),
    'controller: "local" is given; allowed is a map',
  ],
  [
    "a controller on no host",
    root({ controller: { host: "lokal" } }),
    'controller.host: "lokal" is not one of the hosts, did you mean "local"?',
  ],
  [
    "a base port too high",
    root({ controller: { basePort: 65530 } }),
    "controller.basePort: 65530 is given; allowed is a whole number from 1024 to 65517",
  ],
  [
    "a base port too low",
    root({ controller: { basePort: 80 } }),
    "controller.basePort: 80 is given",
  ],
  [
    "a base port as a text",
    root({ controller: { basePort: "30000" } }),
    'controller.basePort: "30000" is given; allowed is a whole number',
  ],
  [
    "a heartbeat too fast",
    root({ controller: { heartbeatPeriod: 1 } }),
    "controller.heartbeatPeriod: 1 is given; allowed is a whole number from 50 to 10000",
  ],
  [
    "a heartbeat in parts",
    root({ controller: { heartbeatPeriod: 100.5 } }),
    "controller.heartbeatPeriod: 100.5 is given",
  ],
  [
    "a heartbeat timeout too short",
    root({ controller: { heartbeatTimeout: 1 } }),
    "controller.heartbeatTimeout: 1 is given; allowed is a number from 2 to 600",
  ],
  [
    "too little memory for the controller",
    root({ controller: { memory: "200MiB" } }),
    'controller.memory: "200MiB" is too little; at least 256MiB is needed',
  ],
  [
    "the controller's memory as a number",
    root({ controller: { memory: 2048 } }),
    "controller.memory: 2048 is given",
  ],
  [
    "a timeout below the period",
    root({ controller: { heartbeatPeriod: 10000, heartbeatTimeout: 5 } }),
    "controller.heartbeatTimeout: 5 s is shorter than",
  ],
  [
    "a controller's near miss",
    root({ controller: { port: 1 } }),
    "controller.port: unknown key; allowed are host, basePort",
  ],
  // images, registry
  [
    "an image that is a text",
    root({ images: { default: "python" } }),
    'images.default: "python" is given; allowed is a map with the keys python, base',
  ],
  [
    "an image in capitals",
    root({ images: { "My Image": {} } }),
    `images.My Image: "My Image" can't be a name here; allowed are ${name}`,
  ],
  [
    "an image's near miss",
    image({ package: [] }),
    'images.default.package: unknown key, did you mean "packages"?',
  ],
  [
    "packages in one text",
    image({ packages: "numpy scipy" }),
    'images.default.packages: "numpy scipy" is given; allowed is a list',
  ],
  [
    "a package with spaces",
    image({ packages: ["numpy scipy"] }),
    'images.default.packages[0]: "numpy scipy" is given; allowed is a Python package',
  ],
  [
    "a package that is an option",
    image({ packages: ["--upgrade"] }),
    'images.default.packages[0]: "--upgrade" is given',
  ],
  [
    "a package with a command",
    image({ packages: ["a;reboot"] }),
    'images.default.packages[0]: "a;reboot" is given',
  ],
  [
    "a package that is a number",
    image({ packages: [1] }),
    "images.default.packages[0]: 1 is given",
  ],
  [
    "a Debian package in capitals",
    image({ aptPackages: ["Vim"] }),
    'images.default.aptPackages[0]: "Vim" is given; allowed is the name of a Debian package',
  ],
  ["a Python of before", image({ python: "3.8" }), `images.default.python: "3.8" ${pythons}`],
  ["a Python to come", image({ python: "3.15" }), `images.default.python: "3.15" ${pythons}`],
  ["a patch of Python", image({ python: "3.12.1" }), `images.default.python: "3.12.1" ${pythons}`],
  [
    "a Python by its name",
    image({ python: "python3" }),
    `images.default.python: "python3" ${pythons}`,
  ],
  ["a cut number of a Python", image({ python: 3.1 }), `images.default.python: 3.1 ${pythons}`],
  ["a Python that is a whole number", image({ python: 3 }), `images.default.python: 3 ${pythons}`],
  ["Pythons", image({ python: ["3.12"] }), `images.default.python: ["3.12"] ${pythons}`],
  [
    "a near miss of python",
    image({ pyton: "3.12" }),
    'images.default.pyton: unknown key, did you mean "python"?',
  ],
  ["an empty base", image({ base: "" }), 'images.default.base: "" is given'],
  ["an empty context", image({ context: "" }), 'images.default.context: "" is given'],
  [
    "a context that is not there",
    image({ context: "./nowhere" }),
    'images.default.context: "./nowhere" has no Dockerfile',
  ],
  [
    "a reference without digest",
    image({ reference: "python:3.11" }),
    'images.default.reference: "python:3.11" is given; allowed is an image with its digest',
  ],
  [
    "a reference with a short digest",
    image({ reference: "a@sha256:12" }),
    'images.default.reference: "a@sha256:12" is given',
  ],
  [
    "a reference and packages",
    image({ reference: `a@${sha256}`, packages: ["numpy"] }),
    "images.default: reference stands for a ready image, which can't have packages",
  ],
  [
    "a registry without user",
    root({ registry: { address: "r" } }),
    "registry.username: is missing",
  ],
  [
    "a registry with its password",
    root({ registry: { address: "r", username: "u", password: "p" } }),
    "registry.password: unknown key",
  ],
  [
    "a registry that is a text",
    root({ registry: "r" }),
    'registry: "r" is given; allowed is a map with the keys address, username',
  ],
  [
    "a registry with a scheme",
    root({ registry: { address: "https://r", username: "u" } }),
    'registry.address: "https://r" is given',
  ],
  // defaults
  [
    "defaults that are a list",
    root({ defaults: [] }),
    "defaults: [] is given; allowed is a map with the keys host, engines",
  ],
  ["defaults with a name", root({ defaults: { name: "x" } }), "defaults.name: unknown key"],
  [
    "defaults on no host",
    root({ defaults: { host: "x" } }),
    'defaults.host: "x" is not one of the hosts; allowed are local',
  ],
  [
    "defaults with no image",
    root({ defaults: { image: "defualt" } }),
    'defaults.image: "defualt" is not one of the images, did you mean "default"?',
  ],
  // workers: names and groups
  [
    "workers that are a map",
    { workers: { w1: {} } },
    'workers: {"w1":{}} is given; allowed is a list of at least 1',
  ],
  ["workers that are a number", { workers: 4 }, "workers: 4 is given; allowed is a list"],
  [
    "no workers in workers",
    { workers: [] },
    "workers: [] is given; allowed is a list of at least 1",
  ],
  [
    "a worker that is a text",
    { workers: ["w1"] },
    'workers[0]: "w1" is given; allowed is a map with the keys name',
  ],
  ["a worker that is null", { workers: [null] }, "workers[0]: null is given; allowed is a map"],
  ["a worker without a name", { workers: [{}] }, `workers[0].name: is missing; allowed is ${name}`],
  [
    "a name that is a number",
    worker({ name: 1 }),
    `workers[0].name: 1 is given; allowed is ${name}`,
  ],
  [
    "a name in capitals",
    worker({ name: "W1" }),
    `workers[0].name: "W1" is given; allowed is ${name}`,
  ],
  ["a name with a dot", worker({ name: "w.1" }), 'workers[0].name: "w.1" is given'],
  ["a name with an underscore", worker({ name: "w_1" }), 'workers[0].name: "w_1" is given'],
  ["a name that ends in a dash", worker({ name: "w-" }), 'workers[0].name: "w-" is given'],
  ["a name too long", worker({ name: "w".repeat(41) }), "workers[0].name: "],
  [
    "the controller's name",
    worker({ name: "controller" }),
    'workers[0].name: "controller" is the controller\'s own name',
  ],
  [
    "a name twice",
    { workers: [{ name: "a" }, { name: "a" }] },
    'workers[1].name: "a" is already the name of a worker in workers[0]',
  ],
  [
    "a name as in a group",
    { workers: [{ name: "a", count: 2 }, { name: "a-2" }] },
    'workers[1].name: "a-2" is already the name of a worker in workers[0]',
  ],
  [
    "a group of none",
    worker({ count: 0 }),
    "workers[0].count: 0 is given; allowed is a whole number from 1 to 10000",
  ],
  [
    "a group in words",
    worker({ count: "four" }),
    'workers[0].count: "four" is given; allowed is a whole number',
  ],
  [
    "a group with a name too long",
    worker({ name: "w".repeat(39), count: 10 }),
    "workers[0].name: ",
  ],
  [
    "a group with one port",
    worker({ count: 2, sshPort: 2201 }),
    "workers[0].sshPort: is one port for 2 workers",
  ],
  [
    "overrides without a group",
    worker({ overrides: { w1: {} } }),
    "workers[0].overrides: is for a group",
  ],
  [
    "overrides of nobody",
    worker({ count: 2, overrides: { "w1-3": {} } }),
    'workers[0].overrides.w1-3: "w1-3" is not one of the workers, did you mean "w1-',
  ],
  [
    "overrides with a near miss",
    worker({ count: 2, overrides: { "w1-1": { engine: 1 } } }),
    'workers[0].overrides.w1-1.engine: unknown key, did you mean "engines"?',
  ],
  [
    "overrides with a name",
    worker({ count: 1, overrides: { "w1-1": { name: "x" } } }),
    "workers[0].overrides.w1-1.name: unknown key",
  ],
  [
    "overrides on no host",
    worker({ count: 1, overrides: { "w1-1": { host: "x" } } }),
    'workers[0].overrides.w1-1.host: "x" is not one of the hosts',
  ],
  // workers: what they have
  [
    "a worker's near miss",
    worker({ engine: 2 }),
    'workers[0].engine: unknown key, did you mean "engines"?',
  ],
  [
    "a worker on no host",
    worker({ host: "locl" }),
    'workers[0].host: "locl" is not one of the hosts, did you mean "local"?',
  ],
  ["a host that is a number", worker({ host: 1 }), "workers[0].host: 1 is given"],
  [
    "a worker with no image",
    worker({ image: "gpu" }),
    'workers[0].image: "gpu" is not one of the images; allowed are default',
  ],
  [
    "0 engines",
    worker({ engines: 0 }),
    'workers[0].engines: 0 is given; allowed is a whole number from 1 to 512, or "cores"',
  ],
  ["513 engines", worker({ engines: 513 }), "workers[0].engines: 513 is given"],
  ["engines in words", worker({ engines: "two" }), 'workers[0].engines: "two" is given'],
  ["engines as text", worker({ engines: "2" }), 'workers[0].engines: "2" is given'],
  [
    "a core",
    worker({ engines: "core" }),
    'workers[0].engines: "core" is given; allowed is a whole number from 1 to 512, or "cores"',
  ],
  ["engines that are a list", worker({ engines: [2] }), "workers[0].engines: [2] is given"],
  ["engines that are infinite", worker({ engines: Infinity }), "workers[0].engines: "],
  [
    "memory without a unit",
    worker({ memory: "512" }),
    `workers[0].memory: "512" is given; allowed is ${size}`,
  ],
  [
    "memory as a number",
    worker({ memory: 512 }),
    `workers[0].memory: 512 is given; allowed is ${size}`,
  ],
  [
    "memory in another unit",
    worker({ memory: "4GB" }),
    `workers[0].memory: "4GB" is given; allowed is ${size}`,
  ],
  [
    "memory in lower case",
    worker({ memory: "4gib" }),
    `workers[0].memory: "4gib" is given; allowed is ${size}`,
  ],
  [
    "too little memory",
    worker({ memory: "6MiB" }),
    'workers[0].memory: "6MiB" is too little; at least 64MiB is needed',
  ],
  ["negative memory", worker({ memory: "-1GiB" }), 'workers[0].memory: "-1GiB" is given'],
  [
    "memory in parts of a MiB",
    worker({ memory: "100.5MiB" }),
    'workers[0].memory: "100.5MiB" is not a whole number of MiB',
  ],
  [
    "no shared memory",
    worker({ shmSize: "0MiB" }),
    'workers[0].shmSize: "0MiB" is too little; at least 1MiB is needed',
  ],
  [
    "no CPUs",
    worker({ cpus: 0 }),
    "workers[0].cpus: 0 is given; allowed is a number from 0.01 to 4096",
  ],
  [
    "CPUs as a text",
    worker({ cpus: "1.5" }),
    'workers[0].cpus: "1.5" is given; allowed is a number',
  ],
  [
    "a CPU set in words",
    worker({ cpuset: "all" }),
    'workers[0].cpuset: "all" is given; allowed is CPUs such as 0-3,8',
  ],
  [
    "a CPU set that is a number",
    worker({ cpuset: 3 }),
    "workers[0].cpuset: 3 is given; allowed is CPUs such as 0-3,8",
  ],
  [
    "a CPU set backwards",
    worker({ cpuset: "3-0" }),
    'workers[0].cpuset: "3-0" has a range that ends before it begins',
  ],
  ["a huge CPU set", worker({ cpuset: "0-99999999999" }), 'workers[0].cpuset: "0-99999999999"'],
  ["a number of GPUs", worker({ gpus: 1 }), 'workers[0].gpus: 1 is given; allowed is "all"'],
  [
    "0 threads",
    worker({ threads: 0 }),
    "workers[0].threads: 0 is given; allowed is a whole number from 1 to 1024",
  ],
  [
    "an unknown restart policy",
    worker({ restart: "never" }),
    'workers[0].restart: "never" is given; allowed is one of "unless-stopped"',
  ],
  [
    "restart as YAML's no",
    worker({ restart: false }),
    'workers[0].restart: false is given; allowed is one of "unless-stopped"',
  ],
  [
    "a port as a text",
    worker({ sshPort: "2201" }),
    'workers[0].sshPort: "2201" is given; allowed is a whole number from 1024 to 65535',
  ],
  [
    "a port of the system",
    worker({ sshPort: 22 }),
    "workers[0].sshPort: 22 is given; allowed is a whole number from 1024 to 65535",
  ],
  [
    "a port twice",
    {
      workers: [
        { name: "a", sshPort: 2201 },
        { name: "b", sshPort: 2201 },
      ],
    },
    "workers[1]: sshPort 2201 of b is already that of a on host local",
  ],
  [
    "the controller's port",
    root({ controller: { basePort: 30000 }, workers: [{ name: "a", sshPort: 30005 }] }),
    "workers[0]: sshPort 30005 of a is one of the controller's, 30000 to 30018, on host local",
  ],
  [
    "env that is a list",
    worker({ env: ["A=1"] }),
    'workers[0].env: ["A=1"] is given; allowed is a map',
  ],
  [
    "env with a bad name",
    worker({ env: { "A-B": "1" } }),
    'workers[0].env.A-B: "A-B" can\'t be a name here; allowed are letters, digits',
  ],
  [
    "env with a list",
    worker({ env: { A: [1] } }),
    "workers[0].env.A: [1] is given; allowed is a text, a number, true or false",
  ],
  [
    "env with nothing",
    worker({ env: { A: null } }),
    "workers[0].env.A: null is given; allowed is a text",
  ],
  ["env with a NUL byte", worker({ env: { A: "a\0b" } }), "workers[0].env.A: "],
  [
    "env of the cluster's own",
    worker({ env: { IPP_ROLE: "x" } }),
    "workers[0].env.IPP_ROLE: is set by the cluster itself",
  ],
  [
    "labels that are a list",
    worker({ labels: ["a"] }),
    'workers[0].labels: ["a"] is given; allowed is a map',
  ],
  [
    "a label that is a number",
    worker({ labels: { a: 1 } }),
    "workers[0].labels.a: 1 is given; allowed is a text",
  ],
  [
    "a label of the cluster's own",
    worker({ labels: { "ipyparallel.cluster": "x" } }),
    "workers[0].labels.ipyparallel.cluster: is set by the cluster itself",
  ],
  [
    "ulimits that are a list",
    worker({ ulimits: [] }),
    "workers[0].ulimits: [] is given; allowed is a map",
  ],
  [
    "an unknown ulimit",
    worker({ ulimits: { nofiles: 1 } }),
    'workers[0].ulimits.nofiles: unknown key, did you mean "nofile"?; allowed are core, cpu',
  ],
  [
    "a ulimit in words",
    worker({ ulimits: { nofile: "many" } }),
    'workers[0].ulimits.nofile: "many" is given; allowed is a whole number',
  ],
  [
    "a soft limit above the hard one",
    worker({ ulimits: { nofile: { soft: 2, hard: 1 } } }),
    "workers[0].ulimits.nofile: soft is above hard",
  ],
  [
    "a soft limit alone",
    worker({ ulimits: { nofile: { soft: 2 } } }),
    'workers[0].ulimits.nofile: {"soft":2} is given; allowed is',
  ],
  [
    "mounts that are a map",
    worker({ mounts: {} }),
    "workers[0].mounts: {} is given; allowed is a list",
  ],
  [
    "a mount as Docker writes it",
    worker({ mounts: ["/a:/b"] }),
    'workers[0].mounts[0]: "/a:/b" is given; allowed is a map with the keys target',
  ],
  [
    "a mount without a target",
    worker({ mounts: [{ source: "/a" }] }),
    "workers[0].mounts[0].target: is missing; allowed is an absolute path",
  ],
  [
    "a mount of a relative folder",
    mount({ source: "data" }),
    'workers[0].mounts[0].source: "data" is given; allowed is an absolute path',
  ],
  [
    "a mount of nothing",
    worker({ mounts: [{ target: "/a" }] }),
    "workers[0].mounts[0]: either source, a folder of the host, or volume is needed",
  ],
  [
    "a mount of both",
    mount({ volume: "v" }),
    "workers[0].mounts[0]: either source, a folder of the host, or volume is needed",
  ],
  [
    "a target twice",
    worker({
      mounts: [
        { target: "/a", source: "/x" },
        { target: "/a", source: "/y" },
      ],
    }),
    'workers[0].mounts[1].target: "/a" is mounted twice',
  ],
  [
    "a target of the cluster's own",
    mount({ target: "/etc/ipp" }),
    'workers[0].mounts[0].target: "/etc/ipp" is used by the cluster itself',
  ],
  [
    "a target of everything",
    mount({ target: "/" }),
    'workers[0].mounts[0].target: "/" is used by the cluster itself',
  ],
  [
    "a volume in capitals",
    worker({ mounts: [{ target: "/a", volume: "V" }] }),
    'workers[0].mounts[0].volume: "V" is given',
  ],
  [
    "readOnly in words",
    mount({ readOnly: "yes" }),
    'workers[0].mounts[0].readOnly: "yes" is given; allowed is true or false',
  ],
  [
    "a mount's near miss",
    mount({ readonly: true }),
    'workers[0].mounts[0].readonly: unknown key, did you mean "readOnly"?',
  ],
  // Between parts
  [
    "workers elsewhere and a controller on this machine alone",
    root({
      hosts: { local: { docker: "unix:///var/run/docker.sock" }, b: { docker: "ssh://b" } },
      controller: { host: "local" },
      workers: [{ name: "w1", host: "b" }],
    }),
    "workers[0].host: w1 on host b can't reach the controller at 127.0.0.1",
  ],
  [
    "the same where the controller's host is the first by name",
    root({
      hosts: { zulu: { docker: "ssh://zulu" }, alpha: { docker: "unix:///var/run/docker.sock" } },
      workers: [{ name: "w1", host: "zulu" }],
    }),
    "workers[0].host: w1 on host zulu can't reach the controller at 127.0.0.1",
  ],
  [
    "a controller that only its own link reaches",
    root({
      hosts: { a: { docker: "ssh://root@[fe80::11]" }, b: { docker: "ssh://root@[fd77::12]" } },
      workers: [{ name: "w1", host: "b" }],
    }),
    "workers[0].host: w1 on host b can't reach the controller at fe80::11; set hosts.a.address to",
  ],
  [
    "a controller reached by IPv6, published by IPv4",
    host({ address: "fd77::11", bind: "0.0.0.0" }),
    'hosts.a.bind: "0.0.0.0" is given, and ports there are reached at "fd77::11"; an IPv6 address',
  ],
  [
    "a machine under two names",
    root({
      hosts: {
        a: { docker: "ssh://root@192.0.2.1", abandoned: true },
        b: { docker: "ssh://root@192.0.2.1" },
        c: { docker: "ssh://root@192.0.2.1", bastion: { host: "gate" } },
        e: { docker: "ssh://root@192.0.2.1", bastion: { host: "gate", port: 2202 } },
        d: { docker: "ssh://root@192.0.2.1" },
      },
      controller: { host: "b" },
    }),
    'hosts.d.docker: "ssh://root@192.0.2.1" is already that of host b; a machine has one name',
  ],
  [
    "ports published by IPv6 and reached by IPv4",
    host({ bind: "fd77::11" }),
    'hosts.a.bind: "fd77::11" is given, and ports there are reached at "192.0.2.1"; an IPv4 address',
  ],
  [
    "ports published by IPv4 and reached by IPv6",
    root({
      hosts: {
        a: { docker: "ssh://root@192.0.2.1" },
        b: { docker: "ssh://root@[fd77::12]", bind: "0.0.0.0" },
      },
    }),
    'hosts.b.bind: "0.0.0.0" is given, and ports there are reached at "fd77::12"; an IPv6 address',
  ],
  [
    "a controller with a name, published by IPv6",
    host({ address: "head.example.org", bind: "fd77::11" }),
    'hosts.a.bind: "fd77::11" is given, and ports there are reached at "head.example.org"; an IPv4',
  ],
  [
    "workers' ports that Pulumi can't reach",
    root({
      hosts: {
        a: { docker: "ssh://root@192.0.2.1" },
        b: { docker: "ssh://root@192.0.2.2", bind: "127.0.0.1", bastion: { host: "gate" } },
        c: { docker: "ssh://root@[fd77::12]", bind: "::1" },
        d: { docker: "ssh://root@d.example.org", bind: "127.0.0.1" },
      },
    }),
    'hosts.b.bind: "127.0.0.1" is reached on that host alone, and ports there are dialled at "192.0.2.2"; leave',
    'hosts.c.bind: "::1" is reached on that host alone, and ports there are dialled at "fd77::12"',
    'hosts.d.bind: "127.0.0.1" is reached on that host alone',
  ],
  [
    "ports of this machine that are dialled at another of its addresses",
    root({ hosts: { a: { docker: "unix:///x", address: "192.0.2.1", bind: "127.0.0.1" } } }),
    'hosts.a.bind: "127.0.0.1" is reached on that host alone',
  ],
  [
    "a controller's ports that engines elsewhere can't reach",
    root({
      hosts: {
        a: { docker: "unix:///x", address: "head.example.org", bind: "127.0.0.1" },
        b: { docker: "ssh://root@192.0.2.2" },
      },
      workers: [{ name: "w1", host: "b" }],
    }),
    'hosts.a.bind: "127.0.0.1" is reached on that host alone, and ports there are dialled at "head.example.org"',
  ],
  [
    "more engines that are enough than there are",
    root({ minReady: 2 }),
    "minReady: 2 is given; at most 1, the number of engines, is allowed",
  ],
  [
    "the same in groups, with what holds for all and for one worker",
    {
      minReady: 13,
      defaults: { engines: 2 },
      workers: [
        { name: "a", count: 3, overrides: { "a-2": { engines: 4 } } },
        { name: "b", count: 2, engines: 1 },
        { name: "c" },
      ],
    },
    "minReady: 13 is given; at most 12, the number of engines, is allowed",
  ],
  [
    "more than are enough of a number that nobody knows",
    root({
      minReady: 1000,
      workers: [
        { name: "a", engines: "cores" },
        { name: "b", host: "nowhere" },
      ],
    }),
    'workers[1].host: "nowhere" is not one of the hosts',
  ],
  ["enough engines of no workers", { minReady: 3, workers: [] }, "workers: [] is given"],
  [
    "enough of a wrong number",
    { minReady: 3, workers: [{ name: "a", count: 0 }] },
    "workers[0].count: 0",
  ],
  // Several at once
  [
    "mistakes between parts and in them",
    { minReady: 5, workers: [{ name: "a", cpu: 1 }] },
    "minReady: 5 is given; at most 1",
    'workers[0].cpu: unknown key, did you mean "cpus"?',
  ],
  [
    "mistakes of every kind",
    {
      profil: "x",
      hosts: { a: { docker: "x" } },
      workers: [{ name: "a", engines: 0, host: "b" }, { name: "a" }],
    },
    "profil: ",
    "hosts.a.docker: ",
    "workers[0].engines: ",
    "workers[0].host: ",
    "workers[1].name: ",
  ],
  [
    "mistakes in three workers",
    {
      workers: [
        { name: "a", cpus: -1 },
        { name: "b", threads: 0 },
        { name: "c", gpus: "one" },
      ],
    },
    "workers[0].cpus: ",
    "workers[1].threads: ",
    "workers[2].gpus: ",
  ],

  // More kinds of numbers, names and mounts
  ["far too many engines", worker({ engines: 1e21 }), "workers[0].engines: 1e+21 is given"],
  ["far too many workers", worker({ count: 1e300 }), "workers[0].count: 1e+300 is given"],
  [
    "more memory than there is",
    worker({ memory: "99999999999999999999GiB" }),
    'workers[0].memory: "99999999999999999999GiB" is too much',
  ],
  [
    "a name that is not ASCII",
    root({ workers: [{ name: "wörker" }] }),
    'workers[0].name: "wörker" is given; allowed is 1 to 40 lower-case letters',
  ],
  [
    "a host by a word of JavaScript",
    worker({ host: "constructor" }),
    'workers[0].host: "constructor" is not one of the hosts; allowed are local',
  ],
  [
    "a merge key that YAML did not merge",
    worker({ "<<": { engines: 2 } }),
    "workers[0].<<: unknown key",
  ],
  [
    "a port twice in one group",
    worker({
      count: 2,
      overrides: { "w1-1": { sshPort: 2300 }, "w1-2": { sshPort: 2300 } },
    }),
    "workers[0]: sshPort 2300 of w1-2 is already that of w1-1 on host local",
  ],
  [
    "a target twice, with a slash",
    worker({
      mounts: [
        { target: "/data/x", volume: "a" },
        { target: "/data/x/", volume: "b" },
      ],
    }),
    'workers[0].mounts[1].target: "/data/x/" is mounted twice',
  ],
  [
    "a target that leads elsewhere",
    worker({ mounts: [{ target: "/data/../etc", source: "/x" }] }),
    'workers[0].mounts[0].target: "/data/../etc" is used by the cluster itself',
  ],
  [
    "a target over the image's own folders",
    worker({ mounts: [{ target: "/var/lib", source: "/x" }] }),
    'workers[0].mounts[0].target: "/var/lib" is used by the cluster itself',
  ],
  [
    "more volumes than a worker can have",
    worker({
      mounts: Array.from({ length: 17 }, (_, index) => ({
        target: `/data/${String(index)}`,
        volume: `v${String(index)}`,
      })),
    }),
    "workers[0].mounts: names 17 volumes; at most 16 are allowed",
  ],
];
