"""What of the user's an engine starts with: modules in the home folder and in PYTHONPATH, IPython's
profile, the working folder.

Tasks write there. What they leave must keep neither our own code from starting (so it starts where
they can't write, and imports what it needs before it looks there) nor engines: one that twice could
not start with it starts without it.
"""

import importlib.util
import os
import sys
import traceback
from importlib.machinery import PathFinder
from pathlib import Path

from traitlets.config import Config

from ippnode import paths

KEPT_VARIABLE = "IPP_PYTHONPATH"
"""Where the service's `run` keeps PYTHONPATH from our own code."""


def restore_environment() -> None:
    """Give this engine the container's PYTHONPATH back."""
    if KEPT_VARIABLE in os.environ:
        os.environ["PYTHONPATH"] = os.environ.pop(KEPT_VARIABLE)
        _run_sitecustomize()


def enter_home() -> str:
    """Make the home folder the working folder, or / if it can't be entered; returns which."""
    try:
        os.chdir(paths.HOME)
    except OSError:
        os.chdir("/")
    return str(Path.cwd())


def find_users_modules(last: bool) -> None:
    """Have imports look at the user's folders first, as in any Python; or `last`."""
    leave_users_modules()
    users = ["", str(paths.HOME), *_pythonpath()]
    sys.path[:] = [*sys.path, *users] if last else [*users, *sys.path]


def leave_users_modules() -> None:
    """Have imports look at nothing of the user's."""
    users = {"", str(paths.HOME), *_pythonpath()}
    if sys.path[0] == str(paths.INSTALLED):  # where `python -m` was started
        del sys.path[0]
    sys.path[:] = [folder for folder in sys.path if folder not in users]


def without_profile(config: Config) -> None:
    """Have IPython begin with an empty profile in place of the user's."""
    folder = paths.RUN / "ipython"
    folder.mkdir(mode=0o700, exist_ok=True)
    config.BaseIPythonApplication.ipython_dir = str(folder)
    config.InteractiveShellApp.exec_PYTHONSTARTUP = False


def _pythonpath() -> list[str]:
    return [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]


def _run_sitecustomize() -> None:
    """What Python does at its start; as there, an error in it does not matter."""
    spec = PathFinder.find_spec("sitecustomize", _pythonpath())
    if spec and spec.loader:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        try:
            spec.loader.exec_module(module)
        except Exception:
            traceback.print_exc()
