"""`python3 -m ippnode worker|controller`: what s6 keeps running."""

import asyncio
import gc
import os
import sys
from socket import socket

from ippnode.deferred import defer
from ippnode.forkserver import ForkServer, set_process_name


def main(role: str) -> None:
    """Import what the role's processes need, and serve. Each forked child returns here too."""
    gc.disable()  # a tenth of the imports' time, for no garbage; the fork server enables it again
    defer("jupyter_client", write_connection_file="connect")
    defer("ipyparallel", Dependency="controller.dependency")
    defer("psutil")
    if role == "worker":
        from ippnode.engine import run_engine as run_job
        from ippnode.engine import warm_up
        from ippnode.worker import WorkerAgent as Agent
    else:
        sys.modules["numpy"] = None  # type: ignore[assignment]  # 0.1 s, and nobody here needs it
        from ippnode.controller import ControllerAgent as Agent
        from ippnode.hub import run_controller as run_job

        warm_up = None

    def run_agent(fork_server: socket) -> None:
        set_process_name("ippagent")
        agent = Agent(fork_server)
        asyncio.run(agent.run())
        os._exit(0)  # ZeroMQ would wait for name servers and hosts that do not answer

    set_process_name("ippnode")
    ForkServer(run_agent, run_job, warm_up).serve()()


if __name__ == "__main__":
    main(sys.argv[1])
