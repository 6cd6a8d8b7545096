"""Results that reach a client, or say why they do not.

A client unpacks results in a thread beside the user's program. What fails there (a class of a
package that the client lacks or has in another version) is printed at best, and the program waits
for ever. A client is any Python with ipyparallel, so what is to happen there comes with the result:
calls, which pickle makes, that give the value or, in its place, an exception for `get()` to raise.
"""

import importlib
import operator
import pickle
import sys
from collections.abc import Callable
from typing import Any

from ipyparallel.engine import datapub, kernel
from ipyparallel.error import RemoteError
from ipyparallel.serialize import serialize

from ippnode import bytecode
from ippnode.usercode import completed

OPEN = """
def open_result(data):
    try:
        for module in modules:
            __import__(module)
        return loads(data)
    except Exception as error:
        return RemoteError("UnreadableResult", f"{message} {type(error).__name__}: {error}", "")
"""
"""Unpickles a result in a client."""
MESSAGE = "the task is done, but its result can't be unpickled by this client:"
NAMES_A_CLASS = b"\x93"
"""The instruction of pickle before which nothing is looked up that a client may lack."""
PROTOCOL = 4
"""Which any client reads."""
NUMPY_1, NUMPY_2 = "numpy.core.multiarray", "numpy._core.multiarray"
"""Where numpy's values are made when they are unpickled; later versions have the former, too."""


class Call:
    """A call that is made where this is unpickled, in its place."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.args


CLIENTS_PYTHON = Call(
    operator.rshift, Call(getattr, Call(importlib.import_module, "sys"), "hexversion"), 16
)
"""The client's major and minor version, as one number."""


def install() -> None:
    """Have this engine's results be such."""
    kernel.serialize_object = datapub.serialize_object = serialize_result


def serialize_result(value: Any, **thresholds: int) -> list[Any]:
    """What `serialize_object` of ipyparallel does, for a task's result."""
    value = completed(value)
    _be_readable_by_numpy_1()
    head, *buffers = serialize.serialize_object(value, **thresholds)
    return [_safe(bytes(head)), *buffers]


def _safe(data: bytes) -> bytes:
    """The pickled data as calls that give its value or an exception."""
    opened: Any = None
    if NAMES_A_CLASS in data:
        names = {
            "RemoteError": RemoteError,
            "loads": pickle.loads,
            "message": MESSAGE,
            "modules": ["numpy"] if b"CannedArray" in data else [],
            "source": OPEN,
            "data": data,
        }
        opened = Call(eval, "exec(source) or open_result(data)", names)
    if bytecode.received:
        value = opened or Call(pickle.loads, data)
        why = str(bytecode.AnotherPython(sorted(bytecode.received)[0]))
        refusal = Call(RemoteError, "AnotherPython", why, "")
        opened = Call(dict.get, {sys.hexversion >> 16: value}, CLIENTS_PYTHON, refusal)
    return pickle.dumps(opened, PROTOCOL) if opened else data


def _be_readable_by_numpy_1() -> None:
    """Have numpy's scalars and arrays name what makes them as numpy 1 does."""
    makes = sys.modules.get(NUMPY_2)
    if makes and makes.scalar.__module__ != NUMPY_1:
        importlib.import_module(NUMPY_1)
        makes.scalar.__module__ = makes._reconstruct.__module__ = NUMPY_1
