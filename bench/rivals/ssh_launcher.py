"""docker run, then ipyparallel's own SSH launcher: ssh_launcher.py WORKERS ENGINES [HOST...]

HOST is a Docker Engine such as ssh://root@192.0.2.10; the containers are on the hosts by turns,
without any on this machine. The controller is on this machine, at the address BRIDGE.
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
        with containers(workers, sys.argv[3:]) as made:
            import ipyparallel as ipp  # while the containers start
            from traitlets.config import Config

            hosts = "".join(
                f"Host w{number}\n  HostName {address}\n  Port {port}\n"
                for number, (address, port) in enumerate(made.sshds, 1)
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
