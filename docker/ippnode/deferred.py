"""Packages whose `__init__` runs late.

`import ipyparallel.engine.app` runs ipyparallel's `__init__` first, which imports the client and
every launcher of clusters; that of jupyter_client imports what starts kernels; and psutil is for
those who ask what a process uses. An engine and a controller need none of it: a third of all that
they would import.
"""

import importlib
import importlib.util
import sys
import threading
from types import ModuleType
from typing import Any


def defer(package: str, **found_in: str) -> ModuleType:
    """Have a package's `__init__` run when a name is asked for that only it can make.

    Its modules are found without, and so are the names of `found_in`, each in the module given.
    """
    spec = importlib.util.find_spec(package)
    module = importlib.util.module_from_spec(spec)
    lock, running = threading.RLock(), False

    def find(name: str) -> Any:
        nonlocal running
        if name in found_in:
            return getattr(importlib.import_module(f"{package}.{found_in[name]}"), name)
        if importlib.util.find_spec(f"{package}.{name}"):
            return importlib.import_module(f"{package}.{name}")
        with lock:
            if running:  # it asks for what it has not made yet
                raise AttributeError(f"module '{package}' has no attribute '{name}'")
            if "__getattr__" in vars(module):
                running = True
                spec.loader.exec_module(module)
                running = False
                del module.__getattr__
        return getattr(module, name)

    module.__getattr__ = find
    sys.modules[package] = module
    return module
