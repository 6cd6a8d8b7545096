"""From no container to the answered hello: `up` against the manual steps and other launchers."""

import re
import time
from collections import defaultdict

from lib.clusters import cluster, hello, up_and_hello
from lib.context import Context
from lib.figures import Figure
from lib.hosts import NoHosts, hosts
from lib.peers import PLAIN_IMAGE
from lib.process import run
from lib.stack import Stack
from lib.stats import Sample, ratios

FIGURES = ["up-manual", "up-ssh-launcher", "up-dask", "destroy", "ssh-connections"]
FIGURES_16 = ["up-manual-16"]
FIGURES_TWO_HOSTS = ["up-two-hosts"]

WORKERS, ENGINES = 4, 2


def measure(context: Context) -> None:
    """4 workers x 2 engines."""
    peers = context.peers
    engines = WORKERS * ENGINES
    seconds: dict[str, list[float]] = defaultdict(list)
    phases: dict[str, list[dict[str, float]]] = defaultdict(list)
    connections: list[float] = []

    def note(name: str, reached: dict[str, float]) -> None:
        phases[name].append(reached)
        seconds[name].append(reached["answered"])

    with Stack("bench-up", cluster("bench-up", [ENGINES] * WORKERS)) as stack:
        stack.up()  # builds the image, and reads all files once
        stack.destroy()
        for _ in context.repeat("4 x 2"):
            if context.wants("up-manual"):
                note("manual", peers.manual(WORKERS, ENGINES))
                note("manual, 100 ms", peers.manual(WORKERS, ENGINES, 100))
            note("up", up_and_hello(stack, context.python, engines))
            connections.append(ssh_connections(stack.name))
            seconds["no change"].append(stack.up().seconds)
            seconds["destroy"].append(stack.destroy().seconds)
            if context.wants("destroy"):
                seconds["nothing to destroy"].append(stack.destroy().seconds)
                stack.up()
                hello(stack, context.python, engines)
                seconds["docker rm"].append(docker_rm(stack.name))
                stack.destroy("--refresh")
            if context.wants("up-ssh-launcher"):
                note("ssh launcher", peers.ssh_launcher(WORKERS, ENGINES))
            if context.wants("up-dask"):
                note("dask", peers.dask(WORKERS, ENGINES))

    def compare(name: str, what: str, bound: float, peer: str, *more: str) -> None:
        if not seconds[peer]:
            return
        others = [sum(values) for values in zip(*(seconds[p] for p in (peer, *more)), strict=True)]
        parts = {
            "up, answered": Sample(tuple(seconds["up"])),
            **{part: Sample(tuple(seconds[part])) for part in (peer, *more)},
            **phase_samples("up", phases["up"]),
            **phase_samples(peer, phases[peer]),
        }
        if peer == "manual":
            parts["manual, 100 ms"] = Sample(tuple(seconds["manual, 100 ms"]))
            parts |= phase_samples("manual, 100 ms", phases["manual, 100 ms"])
        context.add(Figure(name, what, bound, "", ratios(seconds["up"], others), parts=parts))

    compare("up-manual", "up of 4 x 2 / the manual steps as a script", 0.75, "manual")
    compare(
        "up-ssh-launcher", "up of 4 x 2 / docker run + ipyparallel's SSH launcher", 0.4,
        "ssh launcher",
    )  # fmt: skip
    compare(
        "up-dask", "up of 4 x 2 / (docker run + Dask's SSHCluster + no-change up)", 1.0,
        "dask", "no change",
    )  # fmt: skip
    if context.wants("destroy"):
        parts = {
            k: Sample(tuple(seconds[k])) for k in ("destroy", "nothing to destroy", "docker rm")
        }
        others = [
            a + b for a, b in zip(seconds["docker rm"], seconds["nothing to destroy"], strict=True)
        ]
        context.add(
            Figure(
                "destroy", "destroy of 4 x 2 / (docker rm -f + destroy of nothing)", 1.2, "",
                ratios(seconds["destroy"], others), parts=parts,
            )
        )  # fmt: skip
    context.add(
        Figure(
            "ssh-connections", "SSH connections per worker during up", 2, "",
            Sample(tuple(connections)),
        )
    )  # fmt: skip


def measure_16(context: Context) -> None:
    """16 workers x 1 engine."""
    ups, manuals = [], []
    with Stack("bench-up16", cluster("bench-up16", [1] * 16)) as stack:
        for _ in context.repeat("16 x 1"):
            manuals.append(context.peers.manual(16, 1))
            ups.append(up_and_hello(stack, context.python, 16))
            stack.destroy()
    what = "up of 16 x 1 / the manual steps as a script"
    context.add(against("up-manual-16", what, 0.75, ups, "manual", manuals))


def measure_two_hosts(context: Context) -> None:
    """8 workers x 1 engine, half of them on each of two hosts."""
    peers = context.peers
    name, what, bound = (
        "up-two-hosts", "up of 8 x 1 on 2 hosts / docker run + ipyparallel's SSH launcher", 0.4,
    )  # fmt: skip
    ups, launchers = [], []
    try:
        with (
            hosts(2, PLAIN_IMAGE) as two,
            Stack("bench-hosts", cluster("bench-hosts", [1] * 8, two.declared)) as stack,
        ):
            stack.up()  # builds the image on both, and reads all files once
            stack.destroy()
            peers.ssh_launcher(8, 1, two)
            for _ in context.repeat("8 x 1 on 2 hosts"):
                ups.append(up_and_hello(stack, context.python, 8))
                stack.destroy()
                launchers.append(peers.ssh_launcher(8, 1, two))
    except NoHosts as missing:
        context.add(Figure(name, what, bound, missing=f"could not be measured: {missing}"))
        return
    context.add(against(name, what, bound, ups, "ssh launcher", launchers))


def against(
    name: str,
    what: str,
    bound: float,
    ups: list[dict[str, float]],
    peer: str,
    others: list[dict[str, float]],
) -> Figure:
    """Runs of `up` against as many of another way, with the phases of both."""
    up, other = ([reached["answered"] for reached in runs] for runs in (ups, others))
    parts = {
        "up, answered": Sample(tuple(up)),
        peer: Sample(tuple(other)),
        **phase_samples("up", ups),
        **phase_samples(peer, others),
    }
    return Figure(name, what, bound, "", ratios(up, other), parts=parts)


def phase_samples(name: str, runs: list[dict[str, float]]) -> dict[str, Sample]:
    """The time of each phase: from one milestone to the next."""
    samples = {}
    for index, phase in enumerate(runs[0]):
        before = list(runs[0])[index - 1] if index else None
        values = (reached[phase] - (reached[before] if before else 0) for reached in runs)
        samples[f"{name}: {phase}"] = Sample(tuple(values))
    return samples


def containers(name: str, part: str = "") -> list[str]:
    """Names of a cluster's containers."""
    label = f"label=ipyparallel.cluster={name}"
    listed = run(["docker", "ps", "-a", "--filter", label, "--format", "{{.Names}}"])
    return [container for container in listed.split() if part in container]


def ssh_connections(name: str) -> float:
    """The most SSH connections that any worker has had, told from the log of its sshd."""
    most = 0
    for container in containers(name, f"{name}-w"):
        log = run(["bash", "-c", f"docker logs {container} 2>&1"])
        # Every connection has a port of its own, whether its log-in succeeded or not.
        most = max(most, len(set(re.findall(r"(?<!0\.0\.0\.0)(?<! ::) port (\d+)", log))))
    if most == 0:
        raise RuntimeError(f"the workers of {name} have logged no SSH connection at all")
    return most


def docker_rm(name: str) -> float:
    """Seconds that `docker rm` takes for a cluster's containers."""
    names = containers(name)
    begin = time.monotonic()
    run(["docker", "rm", "-f", "-v", *names])
    return time.monotonic() - begin
