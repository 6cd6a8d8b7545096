"""Asks a cluster until every engine is there, then each for its hello.

    hello.py PROFILE ENGINES [TIMEOUT]

Prints when (seconds since 1970) the last engine was registered and when all had answered.
"""

import sys
import time

import ipyparallel as ipp


def main() -> None:
    profile, engines, timeout = sys.argv[1], int(sys.argv[2]), float([*sys.argv, "120"][3])
    with ipp.Client(profile=profile, timeout=timeout) as client:
        client.wait_for_engines(engines, timeout=timeout, interactive=False)
        print(f"registered {time.time():.3f}")
        answers = client[:].apply_sync(lambda: "Hello World")
        print(f"answered {time.time():.3f}")
    if answers != ["Hello World"] * engines:
        sys.exit(f"expected {engines} times Hello World, got {answers}")


main()
