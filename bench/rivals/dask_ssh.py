"""docker run, then Dask's SSHCluster: dask_ssh.py WORKERS PROCESSES

The scheduler runs beside the first worker. Prints the milestones as JSON, in seconds from the
start; leaves nothing behind.
"""

import json
import sys

from containers import Milestones, containers


def main() -> None:
    workers, processes = int(sys.argv[1]), int(sys.argv[2])
    milestones = Milestones()
    with containers(workers) as made:
        from dask.distributed import Client, SSHCluster  # while the containers start

        made.wait()
        milestones.mark("containers")
        addresses = made.addresses()
        with SSHCluster(
            [addresses[0], *addresses],
            connect_options={
                "username": "ipp",
                "client_keys": [str(made.key)],
                "known_hosts": None,
            },
            worker_options={"nthreads": 1, "n_workers": processes},
            remote_python="/opt/venv/bin/python3",
        ) as cluster:
            milestones.mark("started")
            with Client(cluster) as client:
                client.wait_for_workers(workers * processes, timeout=120)
                milestones.mark("registered")
                answers = client.run(lambda: "Hello World")
                milestones.mark("answered")
    if list(answers.values()) != ["Hello World"] * workers * processes:
        sys.exit(f"expected {workers * processes} times Hello World, got {answers}")
    print(json.dumps(milestones.reached))


main()
