"""What a running cluster costs: memory, and the time of work, against bare ipyparallel."""

import json
import subprocess
from collections import defaultdict
from pathlib import Path

from lib.bare import bare_cluster
from lib.clusters import cluster
from lib.context import Context
from lib.figures import Figure
from lib.peers import BENCH, PLAIN_IMAGE, PREFIX
from lib.process import run
from lib.stack import Stack
from lib.stats import Sample, ratios

WORK = {
    "apply": "apply_sync over 8 engines",
    "map": "map_sync of 1,000 small tasks",
    "broadcast": "broadcast of 50 MB to 8 engines",
}
NO_CURVE = "-no-curve"
FIGURES = ["memory", *(f"{work}{curve}" for work in WORK for curve in ("", NO_CURVE))]

WORKERS, ENGINES = 4, 2


def measure(context: Context) -> None:
    """4 workers x 2 engines."""
    name = "bench-running"
    if context.wants("memory", *WORK):
        with Stack(name, cluster(name, [ENGINES] * WORKERS)) as stack:
            stack.up()
            if context.wants("memory"):
                memory(context, stack)
            if context.wants(*WORK):
                throughput(context, stack)
    if context.wants(*(f"{work}{NO_CURVE}" for work in WORK)):
        name = "bench-no-curve"
        with Stack(name, cluster(name, [ENGINES] * WORKERS)) as stack:
            switch_curve_off(stack)
            stack.up()
            throughput(context, stack, curve=False)


def switch_curve_off(stack: Stack) -> None:
    """Changes the stack's copy of the program: a cluster has no setting for it."""
    for file, text, other in [
        ("controllerConfig.ts", "enable_curve = True", "enable_curve = False"),
        ("controllerConfig.ts", 'c.IPController.curve_publickey = curve["public"].encode()\n', ""),
        ("controllerConfig.ts", 'c.IPController.curve_secretkey = curve["secret"].encode()\n', ""),
        ("connectionFiles.ts", "curve_serverkey: secrets.curveServerKey,", ""),
    ]:
        path = stack.folder / "components" / "lib" / file
        before, after = path.read_text().split(text)
        path.write_text(before + other + after)


def throughput(context: Context, stack: Stack, curve: bool = True) -> None:
    """The cluster and bare ipyparallel in turn."""
    file = stack.ipython / f"profile_{stack.name}" / "security" / "ipcontroller-client.json"
    ours: dict[str, list[float]] = defaultdict(list)
    bare: dict[str, list[float]] = defaultdict(list)
    with bare_cluster(context.python.parent, WORKERS * ENGINES, curve) as bare_file:
        for _ in context.repeat("work"):
            for into, connection in [(ours, file), (bare, bare_file)]:
                for work, seconds in measure_work(context.python, connection).items():
                    into[work].append(seconds)
    for work, what in WORK.items():
        parts = {"cluster": Sample(tuple(ours[work])), "bare": Sample(tuple(bare[work]))}
        name = work if curve else f"{work}{NO_CURVE}"
        what = f"{what} / bare, both {'with' if curve else 'without'} Curve"
        context.add(Figure(name, what, 1.1, "", ratios(ours[work], bare[work]), parts=parts))


def measure_work(python: Path, connection: Path) -> dict[str, float]:
    return json.loads(run([python, "-W", "ignore", BENCH / "throughput.py", connection, "3"]))


def memory(context: Context, stack: Stack) -> None:
    """All processes of a worker, against as many ipengines in a container with nothing else."""
    worker = f"ipp-{stack.name}-w1"
    name = f"{PREFIX}-memory"
    connection = run(
        ["docker", "exec", f"ipp-{stack.name}-controller",
         "cat", "/home/ipp/.ipython/profile_cluster/security/ipcontroller-engine.json"]
    ).replace("0.0.0.0", "controller")  # fmt: skip
    ours, bare = [], []
    engine = ["docker", "exec", "-d", "-u", "ipp", "-w", "/home/ipp",
              "-e", f"IPP_CONNECTION_INFO={connection}",
              name, "/opt/venv/bin/ipengine"]  # fmt: skip
    for _ in context.repeat("memory"):
        try:
            run(["docker", "run", "-d", "--name", name, "--network", f"ipp-{stack.name}",
                 "--entrypoint", "sleep", PLAIN_IMAGE, "infinity"])  # fmt: skip
            for _ in range(ENGINES):
                subprocess.run(engine, check=True)
            wait_for_engines(context.python, stack, (WORKERS + 1) * ENGINES)
            # `sleep` stands for the container; what a supervisor would need is not in it.
            bare.append(private_memory(name) / 2**20)
            ours.append(private_memory(worker) / 2**20)
        finally:
            run(["docker", "rm", "-f", "-v", name])
            wait_for_ends(context.python, stack, WORKERS * ENGINES)
    parts = {"worker (MiB)": Sample(tuple(ours)), "bare ipengines (MiB)": Sample(tuple(bare))}
    what = f"memory of a worker with {ENGINES} engines / {ENGINES} bare ipengines"
    context.add(Figure("memory", what, 1.1, "", ratios(ours, bare), parts=parts))


def wait_for_engines(python: Path, stack: Stack, engines: int) -> None:
    """Returns when so many engines have registered and answered."""
    run([python, BENCH / "hello.py", stack.name, str(engines)], stack.environment())


def wait_for_ends(python: Path, stack: Stack, engines: int) -> None:
    """Returns when no more engines than so many are registered; a lost one is, for 10 seconds."""
    program = (
        "import sys, time, ipyparallel\n"
        "client = ipyparallel.Client(profile=sys.argv[1])\n"
        "while len(client.ids) > int(sys.argv[2]): time.sleep(0.1)"
    )
    run([python, "-c", program, stack.name, str(engines)], stack.environment())


def private_memory(container: str) -> float:
    """Bytes of the anonymous memory of a container's processes; what they share counts once."""
    pids = run(["docker", "top", container, "-o", "pid"]).split()[1:]
    total = 0.0
    for pid in pids:
        for line in Path("/proc", pid, "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss_Anon:"):
                total += 1024 * float(line.split()[1])
    return total
