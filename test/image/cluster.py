"""A cluster made of plain containers from the image, without Pulumi: what the real tests run on."""

import json
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipyparallel
import zmq

HARDENED = [
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--tmpfs=/run:rw,exec,nosuid,nodev,mode=1777",
    "--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777",
]

CONFIG = """
import json
import pathlib

c = get_config()
curve = json.loads((pathlib.Path(__file__).parent / "security" / "curve.json").read_text())
c.IPController.engine_ip = c.IPController.client_ip = "0.0.0.0"
c.IPController.location = "controller"
c.IPController.enable_curve = True
c.IPController.curve_publickey = curve["public"].encode()
c.IPController.curve_secretkey = curve["secret"].encode()
c.IPController.reuse_files = True
c.IPController.restore_engines = True
c.IPController.engine_ports = list(range(10001, 10010))
c.IPController.client_ports = list(range(10011, 10017))
c.IPController.ports = list(range(10021, 10024))
c.HeartMonitor.period = {period}
c.HeartMonitor.max_heartmonitor_misses = {misses}
"""


def sh(*command: str, stdin: str | None = None, check: bool = True) -> str:
    """Run a command; its standard output."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def wait_until(what: str, seconds: float, true: Callable[[], Any]) -> float:
    """Wait for a condition; how long it took, in seconds."""
    start = time.monotonic()
    while not true():
        if time.monotonic() - start > seconds:
            raise AssertionError(f"not within {seconds} seconds: {what}")
        time.sleep(0.1)
    return time.monotonic() - start


def remote(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have a function of a test sent to engines as it is: they can't import the tests."""
    function.__module__ = "__main__"
    return function


class ControlFailed(AssertionError):
    """`ippctl` ended with a status other than 0."""

    def __init__(self, status: int, stderr: str) -> None:
        super().__init__(f"ippctl ended with {status}: {stderr}")
        self.status, self.stderr = status, stderr


class Cluster:
    """Controller and workers in a network of their own; `close` removes all of it."""

    def __init__(
        self, image: str, period: int = 250, misses: int = 40, restart: str = "unless-stopped"
    ) -> None:
        self.image = image
        self.prefix = f"ippimg-{secrets.token_hex(3)}"
        self.restart = restart
        self.folder = tempfile.TemporaryDirectory(prefix="ippimg-")
        self.keys = Path(self.folder.name)
        for key in ("client", "ssh_host_ed25519_key"):
            sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.keys / key))
        parts = [self.keys / "ssh_host_ed25519_key", self.keys / "client.pub"]
        (self.keys / "keys").write_text("".join(part.read_text() for part in parts))
        (self.keys / "keys").chmod(0o644)
        self.key = secrets.token_hex(32)  # messages are signed, as the project's files have it
        self.public, self.secret = (key.decode() for key in zmq.curve_keypair())
        self.config = CONFIG.format(period=period, misses=misses)
        sh("docker", "network", "create", self.prefix)
        self.names: list[str] = []
        self.clients: list[ipyparallel.Client] = []

    def connection(self, side: str, interface: str = "tcp://0.0.0.0") -> dict[str, Any]:
        """The content of ipcontroller-engine.json or ipcontroller-client.json."""
        engine = {
            "control": 10002,
            "mux": 10003,
            "task": 10004,
            "iopub": 10005,
            "hb_ping": 10006,
            "hb_pong": 10007,
            "broadcast": [10008, 10009],
        }
        client = {
            "control": 10011,
            "mux": 10012,
            "task": 10013,
            "task_scheme": "leastload",
            "iopub": 10014,
            "notification": 10015,
            "broadcast": 10016,
        }
        return {
            "ssh": "",
            "interface": interface,
            "registration": 10001,
            **(engine if side == "engine" else client),
            "key": self.key,
            "curve_serverkey": self.public,
            "location": "controller",
            "pack": "json",
            "unpack": "json",
            "signature_scheme": "hmac-sha256",
        }

    # ---- containers

    def container(self, name: str) -> str:
        """The container's full name."""
        return f"{self.prefix}-{name}"

    def create(self, name: str, *options: str, image: str = "") -> None:
        """Create and start a container: the controller when it is called so, else a worker."""
        role = "controller" if name == "controller" else "worker"
        volume = [f"--volume={self.prefix}:/home/ipp"] if role == "controller" else []
        sh(
            "docker",
            "create",
            f"--name={self.container(name)}",
            f"--network={self.prefix}",
            f"--network-alias={name}",
            f"--hostname={name}",
            f"--restart={self.restart}",
            "--publish=127.0.0.1::2222",
            f"--env=IPP_ROLE={role}",
            f"--env=IPP_NAME={name}",
            *HARDENED,
            *volume,
            *options,
            image or self.image,
        )
        self.names.append(name)
        sh("docker", "cp", str(self.keys / "keys"), f"{self.container(name)}:/etc/ipp/keys")
        sh("docker", "start", self.container(name))

    def docker(self, verb: str, name: str, *rest: str) -> str:
        """`docker <verb> <container> <rest>`."""
        return sh("docker", verb, self.container(name), *rest)

    def run(self, name: str, *command: str) -> str:
        """Run a command inside a container, as its user."""
        return sh("docker", "exec", self.container(name), *command, check=False)

    def remove(self, name: str) -> None:
        """Remove a container with its anonymous volumes."""
        self.names.remove(name)
        sh("docker", "rm", "--force", "--volumes", self.container(name), check=False)

    def ssh_command(self, name: str, *options: str) -> list[str]:
        """The ssh command line up to the remote command."""
        port = self.docker("port", name, "2222").splitlines()[0].rsplit(":", 1)[1]
        host_key = " ".join((self.keys / "ssh_host_ed25519_key.pub").read_text().split()[:2])
        known_hosts = self.keys / f"known_hosts-{name}"
        known_hosts.write_text(f"[127.0.0.1]:{port} {host_key}\n")
        return [
            "ssh",
            "-F/dev/null",
            f"-i{self.keys / 'client'}",
            f"-p{port}",
            "-oBatchMode=yes",
            f"-oUserKnownHostsFile={known_hosts}",
            "-oIdentitiesOnly=yes",
            *options,
            "ipp@127.0.0.1",
        ]

    # ---- what remote commands do

    def ippctl(self, name: str, *arguments: str, stdin: Any = None) -> Any:
        """`ippctl` in a container, over SSH as the cluster does it; its output."""
        for _ in range(50):
            done = subprocess.run(
                [*self.ssh_command(name), "ippctl", *arguments],
                input=json.dumps(stdin),
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 255:  # sshd is not up yet: Docker's proxy hangs up at once
                break
            time.sleep(0.1)
        if done.returncode:
            raise ControlFailed(done.returncode, done.stderr)
        return json.loads(done.stdout)

    def start_controller(self, **changed: Any) -> Any:
        """Hand the profile to the controller's container."""
        return self.ippctl(
            "controller",
            "controller",
            stdin={
                "config": self.config,
                "engine": self.connection("engine"),
                "client": self.connection("client"),
                "curve": {"public": self.public, "secret": self.secret},
                **changed,
            },
        )

    def engines(self, name: str, count: int, *options: str, **changed: Any) -> Any:
        """Declare a worker's engines and wait for them."""
        connection = {**self.connection("engine", "tcp://controller"), **changed}
        stdin = {"connection": connection}
        return self.ippctl(name, "engines", f"--count={count}", *options, stdin=stdin)

    def ready(self, workers: dict[str, int], *options: str, **more: Any) -> Any:
        """Wait until the declared engines answer."""
        stdin = {"workers": workers, **more}
        return self.ippctl("controller", "ready", *options, stdin=stdin)

    def status(self, name: str) -> Any:
        """`ippctl status`, by docker exec: it works while nobody can log in."""
        return json.loads(self.run(name, "ippctl", "status") or "{}")

    def address(self, name: str) -> str:
        """A container's address in the cluster's network."""
        return self.docker(
            "inspect", name, "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        )

    def client(self) -> ipyparallel.Client:
        """A user's client, on this machine."""
        interface = f"tcp://{self.address('controller')}"
        client = ipyparallel.Client(self.connection("client", interface), timeout=10)
        self.clients.append(client)
        return client

    def strength(self, client: ipyparallel.Client, workers: dict[str, int]) -> str:
        """What `client` sees missing: "" when just the declared engines are there and answer."""
        idents = [client._engines[id] for id in client.ids]
        slots = sorted(ident.rsplit("-", 1)[0] for ident in idents)
        wanted = sorted(f"{w}-{s}" for w, count in workers.items() for s in range(1, count + 1))
        if slots != wanted or len(set(client.ids)) != len(wanted):
            return f"ids are {client.ids}, engines {idents}"
        try:
            asked = {id: client[id].apply_async(int) for id in client.ids}
        except IndexError as error:  # it went this very moment
            return str(error)
        silent = []
        for id, result in asked.items():
            try:
                result.get(2)
            except Exception as error:
                silent.append(f"{id}: {error!r}")
        return f"silent: {silent}" if silent else ""

    def full_strength(
        self, client: ipyparallel.Client, workers: dict[str, int], seconds: float
    ) -> float:
        """Wait until the declared engines, and no others, are in `ids` and answer."""
        start = time.monotonic()
        while missing := self.strength(client, workers):
            if time.monotonic() - start > seconds:
                raise AssertionError(f"not at full strength after {seconds} seconds: {missing}")
            time.sleep(0.1)
        return time.monotonic() - start

    def close_clients(self) -> None:
        """Close all clients: each takes CPU time for what others print, too."""
        for client in self.clients:
            client.close(linger=0)
        self.clients.clear()

    def close(self) -> None:
        """Remove all that was made, whatever state it is in."""
        self.close_clients()
        for name in list(self.names):
            self.remove(name)
        sh("docker", "volume", "rm", "--force", self.prefix, check=False)
        sh("docker", "network", "rm", self.prefix, check=False)
        self.folder.cleanup()

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
