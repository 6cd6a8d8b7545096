"""What every engine is asked to prove that it answers. Runs in the engine."""


def describe() -> dict[str, str]:
    """Where the engine runs, and its versions."""
    import platform
    import socket

    import ipyparallel

    return {
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "ipyparallel": ipyparallel.__version__,
    }
