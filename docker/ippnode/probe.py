"""What every engine is asked to prove that it answers. Runs in the engine."""


def describe() -> dict[str, str]:
    """Where the engine runs, and its versions."""
    import platform
    import socket

    from ipyparallel._version import __version__  # not all that a client needs

    return {
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "ipyparallel": __version__,
    }
