"""Results that reach a client, or say why they do not.

A client unpacks results in a thread beside the user's program. What fails there (a class of a
package that the client lacks or has in another version) is printed at best, and the program waits
for ever. A client is any Python with ipyparallel, so what is to happen there comes with the result:
calls, which pickle makes, that give the value or, in its place, an exception for `get()` to raise.
"""

import functools
import importlib
import operator
import pickle
import sys
import zlib
from collections.abc import Callable
from typing import Any

from ipyparallel.engine import datapub, kernel
from ipyparallel.error import RemoteError
from ipyparallel.serialize import serialize

from ippnode import bytecode
from ippnode.usercode import completed

OPEN = """
def open_result(data, modules):
    try:
        for module in modules:
            __import__(module)
        return pickle.loads(data)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        return RemoteError(
            "UnreadableResult",
            f"the task is done, but its result can't be unpickled by this client: {why}",
            "",
        )
"""
"""Unpickles a result in a client."""
NAME = f"_open_result_{zlib.crc32(OPEN.encode()):08x}"
OPENED = (
    "(getattr(keeper, name, None) "
    "or setattr(keeper, name, exec(source, names) or names['open_result']) "
    "or getattr(keeper, name))(data, modules)"
)
"""The result; what unpickles it is compiled once in each client, and kept at ipyparallel.error."""
NAMES_A_CLASS = b"\x93"
"""The instruction of pickle before which nothing is looked up that a client may lack."""
PLACE = b"\0" * 256
"""Stands for a pickled result where the calls around it are pickled beforehand."""
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
    function = min(bytecode.received, default="")
    if not function and b"code_ctor" in data:
        function = "a function in the result"
    names_a_class = NAMES_A_CLASS in data
    if not names_a_class and not function:
        return data
    before, after = _around(function, names_a_class, b"CannedArray" in data)
    return b"".join((before, pickle.BINBYTES8, len(data).to_bytes(8, "little"), data, after))


@functools.lru_cache(maxsize=256)
def _around(function: str, names_a_class: bool, has_arrays: bool) -> tuple[bytes, bytes]:
    """What comes before and after a pickled result: how it is unpickled, and for which Python."""
    opened = Call(pickle.loads, PLACE)
    if names_a_class:
        names = {
            "data": PLACE,
            "keeper": Call(importlib.import_module, "ipyparallel.error"),
            "modules": ["numpy"] if has_arrays else [],
            "name": NAME,
            "names": {
                "pickle": Call(importlib.import_module, "pickle"),
                "RemoteError": RemoteError,
            },
            "source": OPEN,
        }
        opened = Call(eval, OPENED, names)
    if function:
        refusal = Call(RemoteError, "AnotherPython", str(bytecode.AnotherPython(function)), "")
        opened = Call(dict.get, {sys.hexversion >> 16: opened}, CLIENTS_PYTHON, refusal)
    # Protocol 3 has no frames, in which the place would have to be.
    packed = pickle.dumps(opened, 3)
    before, after = packed.split(pickle.BINBYTES + len(PLACE).to_bytes(4, "little") + PLACE)
    return before, after


def _be_readable_by_numpy_1() -> None:
    """Have numpy's scalars and arrays name what makes them as numpy 1 does."""
    makes = sys.modules.get(NUMPY_2)
    if makes and makes.scalar.__module__ != NUMPY_1:
        importlib.import_module(NUMPY_1)
        makes.scalar.__module__ = makes._reconstruct.__module__ = NUMPY_1
