"""Prints what the engines of a profile have, one of each worker, as `describe.py` does.

Source and data reach engines from a client with any Python, so nothing else is sent.
"""

import json
import sys
from pathlib import Path

import ipyparallel as ipp

SOURCE = Path(__file__).with_name("describe.py").read_text()
NAME = "_ipyparallel_cluster_description"


def main() -> None:
    """Ask the engines."""
    client = ipp.Client(profile=sys.argv[1], timeout=10)
    by_worker = {ident.rsplit("-", 2)[0]: id for id, ident in sorted(client._engines.items())}
    view = client[list(by_worker.values())]
    view.execute(f"{NAME} = {{'__name__': 'x'}}; exec({SOURCE!r}, {NAME})", block=True)
    view.execute(f"{NAME} = {NAME}['description']", block=True)
    answers = view.pull(NAME, block=True)
    view.execute(f"del {NAME}", block=True)
    json.dump(dict(zip(by_worker, answers, strict=True)), sys.stdout)


if __name__ == "__main__":
    main()
