"""Shows where the limit of ipyparallel's hub is, with engines that are none.

    fake_engines.py ENGINES [--period MS] [--timeout SECONDS] [--curve]

Starts an ipcontroller of its own and registers ENGINES light engines with it, side by side, as
ipyparallel's own engines do: a request on the registration port, connections to the schedulers, and
a heart that sends each ping back. They have no kernel, so one process holds hundreds of them.
Prints as JSON how long registration took, which engines the hub lost again afterwards, and what
the controller's processes cost while nothing happens.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import ipyparallel as ipp
import psutil
import zmq
from jupyter_client.session import Session

IDLE_SECONDS = 10


class FakeEngines(threading.Thread):
    """Engines without kernels, all in one thread."""

    def __init__(self, info: dict, count: int) -> None:
        super().__init__(daemon=True)
        self._info = info
        self._context = zmq.Context()
        self._context.max_sockets = 8 * count + 100
        self._session = Session(key=info["key"].encode())
        self._curve = zmq.curve_keypair() if info["curve_serverkey"] else None
        self._sockets: list[zmq.Socket] = []
        self._poller = zmq.Poller()
        self._hearts: dict[zmq.Socket, zmq.Socket] = {}
        self._registrars: dict[zmq.Socket, bytes] = {}
        self.refused: list[str] = []
        self._idents = [f"fake-{number}" for number in range(count)]

    def run(self) -> None:
        for ident in self._idents:
            registrar = self._connect(zmq.DEALER, ident, "registration")
            self._registrars[registrar] = ident.encode()
            self._poller.register(registrar, zmq.POLLIN)
            self._session.send(registrar, "registration_request", content={"uuid": ident})
        while True:
            for socket, _ in self._poller.poll():
                if socket in self._hearts:
                    self._hearts[socket].send_multipart(socket.recv_multipart())
                else:
                    self._registered(socket)

    def _registered(self, registrar: zmq.Socket) -> None:
        """What an engine does after the hub's answer: it connects, and its heart begins to beat."""
        ident = self._registrars[registrar].decode()
        _, frames = self._session.feed_identities(registrar.recv_multipart())
        content = self._session.deserialize(frames)["content"]
        if content["status"] != "ok":
            self.refused.append(ident)
            return
        leaves = self._info["broadcast"]
        leaf = leaves[content["id"] % len(leaves)]
        shell = self._connect(zmq.ROUTER, ident, "mux", "task")
        shell.connect(self._url(leaf))
        self._connect(zmq.ROUTER, ident, "control")
        self._connect(zmq.PUB, ident, "iopub")
        ping = self._connect(zmq.SUB, ident, "hb_ping")
        ping.subscribe(b"")
        self._hearts[ping] = self._connect(zmq.DEALER, ident, "hb_pong")
        self._poller.register(ping, zmq.POLLIN)

    def _connect(self, kind: int, ident: str, *channels: str) -> zmq.Socket:
        socket = self._context.socket(kind)
        socket.identity = ident.encode()
        socket.linger = 0
        if self._curve is not None:
            socket.curve_publickey, socket.curve_secretkey = self._curve
            socket.curve_serverkey = self._info["curve_serverkey"].encode()
        for channel in channels:
            socket.connect(self._url(self._info[channel]))
        self._sockets.append(socket)
        return socket

    def _url(self, port: int) -> str:
        return f"tcp://127.0.0.1:{port}"


def wait_for_file(path: Path, seconds: float) -> dict:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if path.exists():
            try:
                return json.loads(path.read_text())
            except json.JSONDecodeError:
                pass  # half written
        time.sleep(0.05)
    raise TimeoutError(f"ipcontroller has not written {path} within {seconds:.0f} s")


def measure(folder: Path, controller: psutil.Process, args: argparse.Namespace) -> dict:
    security = folder / "profile_fake" / "security"
    info = wait_for_file(security / "ipcontroller-engine.json", 30)
    client_file = security / "ipcontroller-client.json"
    wait_for_file(client_file, 30)
    with ipp.Client(str(client_file), timeout=30) as client:
        engines = FakeEngines(info, args.engines)
        begin = time.monotonic()
        engines.start()
        while len(client.ids) < args.engines - len(engines.refused):
            if time.monotonic() - begin > args.timeout:
                break
            time.sleep(0.02)
        seconds = time.monotonic() - begin
        registered = len(client.ids)
        family = [controller, *controller.children(recursive=True)]
        before = sum(sum(process.cpu_times()[:2]) for process in family)
        time.sleep(IDLE_SECONDS)
        busy = sum(sum(process.cpu_times()[:2]) for process in family) - before
        return {
            "engines": args.engines,
            "period_ms": args.period,
            "curve": args.curve,
            "registered": registered,
            "seconds": round(seconds, 2),
            "still_registered": len(client.ids),
            "idle_cpu_percent": round(100 * busy / IDLE_SECONDS, 1),
            "memory_mib": round(sum(process.memory_info().rss for process in family) / 2**20),
            "file_descriptors": max(process.num_fds() for process in family),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("engines", type=int)
    parser.add_argument("--period", type=int, default=500, help="HeartMonitor.period in ms")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for all to register")
    parser.add_argument("--curve", action="store_true", help="with CurveZMQ")
    args = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as name, Path(name, "log").open("w") as log:
        command = [
            str(Path(sys.executable).with_name("ipcontroller")),
            "--profile=fake",
            "--init",
            f"--HeartMonitor.period={args.period}",
            f"--HeartMonitor.max_heartmonitor_misses={max(1, round(10_000 / args.period))}",
            f"--IPController.enable_curve={args.curve}",
        ]
        controller = subprocess.Popen(
            command,
            env={**os.environ, "IPYTHONDIR": name},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            print(json.dumps(measure(Path(name), psutil.Process(controller.pid), args)))
        finally:
            controller.terminate()
            controller.wait(20)


main()
