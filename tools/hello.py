"""hello.py PROFILE [--ipv6]: has every engine say hello, as examples/hello.py does.

It ends with 3, and one line on its standard error, where the cluster does not answer.
"""

import json
import socket
import sys
from pathlib import Path

# A controller that runs answers within milliseconds; a host that is off never does.
CONNECT_SECONDS = 5
CLIENT_SECONDS = 15


def fail(reason: str) -> None:
    sys.stderr.write(f"{reason}\n")
    sys.exit(3)


def dial(file: Path) -> None:
    """Fail with a reason if nothing listens where clients connect to first."""
    connection = json.loads(file.read_text())
    address = (connection["location"], connection["registration"])
    try:
        socket.create_connection(address, CONNECT_SECONDS).close()
    except OSError as error:
        fail(f"the controller does not answer at {address[0]} port {address[1]} ({error})")


def main(profile: str, *options: str) -> None:
    from IPython.paths import get_ipython_dir

    file = Path(get_ipython_dir()) / f"profile_{profile}" / "security" / "ipcontroller-client.json"
    if not file.exists():
        fail(f"there is no {file}")
    dial(file)

    import ipyparallel as ipp

    if "--ipv6" in options:
        import zmq

        zmq.Context.instance().IPV6 = 1
    try:
        c = ipp.Client(str(file), timeout=CLIENT_SECONDS)
    except TimeoutError:
        fail("the controller does not answer")
    if not c.ids:
        fail("no engine is registered with the controller")
    print(c.ids)
    print(c[:].apply_sync(lambda: "Hello World"))


if __name__ == "__main__":
    main(*sys.argv[1:])
