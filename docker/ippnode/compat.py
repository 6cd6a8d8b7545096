"""Replaces names of ipyparallel and of what it uses, and proves that the replacements are in place.

A name that upstream has renamed would be assigned without an error, and used by nothing. And only a
process that was forked from the one that replaced them has them: from Python 3.14 on,
multiprocessing forks no more unless it is asked to. So the controller's processes are forked by
`ControllerProcess`, whatever the default is, and each refuses to work without the replacements.
"""

from multiprocessing.context import ForkProcess
from typing import Any

_replaced: list[tuple[Any, str, Any]] = []


def replace(owner: Any, name: str, new: Any) -> None:
    """Have `owner`, a module or a class, use `new` under a name that it has."""
    if not hasattr(owner, name):
        raise AttributeError(
            f"{owner.__name__} has no {name!r} that could be replaced: "
            "this version of it was not tested"
        )
    setattr(owner, name, new)
    _replaced.append((owner, name, new))


def verify() -> None:
    """Raise RuntimeError unless this process has the replacements."""
    lost = [f"{o.__name__}.{name}" for o, name, new in _replaced if getattr(o, name) is not new]
    if lost or not _replaced:
        raise RuntimeError(
            f"this process lacks replacements ({', '.join(lost) or 'all of them'}): "
            "it was not forked from the process that made them"
        )


class ControllerProcess(ForkProcess):
    """A process of the controller: forked, and of no use without the replacements."""

    def run(self) -> None:
        """Work, once it is certain that the replacements are there."""
        verify()
        super().run()
