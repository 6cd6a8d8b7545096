"""docker run, then ipyparallel's own SSH launcher: ssh_launcher.py WORKERS ENGINES

Prints the milestones as JSON, in seconds from the start; leaves nothing behind.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from containers import Milestones, containers

CONFIG = """
Host *
  User ipp
  IdentityFile {key}
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
"""


def main() -> None:
    workers, engines = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        os.environ["IPYTHONDIR"] = folder
        milestones = Milestones()
        with containers(workers) as made:
            import ipyparallel as ipp  # while the containers start
            from traitlets.config import Config

            hosts = "".join(
                f"Host w{number}\n  HostName 127.0.0.1\n  Port {port}\n"
                for number, port in enumerate(made.ports, 1)
            )
            ssh_config = Path(folder, "ssh_config")
            ssh_config.write_text(hosts + CONFIG.format(key=made.key))
            config = Config()
            launcher = config.SSHEngineSetLauncher
            launcher.engines = {f"w{number}": engines for number in range(1, workers + 1)}
            launcher.ssh_args = launcher.scp_args = ["-F", str(ssh_config)]
            launcher.remote_python = "/opt/venv/bin/python3"
            made.wait()
            milestones.mark("containers")
            cluster = ipp.Cluster(
                engines="ssh",
                n=workers * engines,
                controller_ip="0.0.0.0",
                controller_location=os.environ["BRIDGE"],
                profile="ssh",
                config=config,
                # The engines go with their containers; to stop them takes half a minute.
                shutdown_atexit=False,
                log_level=40,
            )
            try:
                client = cluster.start_and_connect_sync(activate=False)
                milestones.mark("registered")
                answers = client[:].apply_sync(lambda: "Hello World")
                milestones.mark("answered")
                client.close()
            finally:
                cluster.stop_controller_sync()
    if answers != ["Hello World"] * workers * engines:
        sys.exit(f"expected {workers * engines} times Hello World, got {answers}")
    print(json.dumps(milestones.reached))


main()
