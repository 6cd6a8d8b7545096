"""Prints which Python this is and which packages it has, as JSON; needs nothing but a Python."""

import json
import platform
import sys
from importlib.metadata import distributions

found = {
    one.metadata["Name"].lower().replace("_", "-"): one.version
    for one in reversed(list(distributions()))
    if one.metadata["Name"]
}
description = {"python": platform.python_version(), "packages": found}
if __name__ == "__main__":
    json.dump(description, sys.stdout)
