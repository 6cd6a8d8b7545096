"""Refuses functions that another Python has made: they would crash this one, or compute rubbish.

ipyparallel sends functions as byte code. That is another in each minor version of Python, and does
not say which one it is of, but it has a form: it begins with RESUME, which has another number in
most versions, and each instruction has its own number and count of cache entries. What has not the
form of this Python's byte code is refused. Python 3.11 and 3.12 share most numbers, and make the
same byte code of one function in 60: such a function runs, but the client refuses its result (see
`results`). So one rule holds: engines take functions from clients of their own Python alone.

Functions of ipyparallel and of this project are not refused but found by their names, since every
engine has them. So data (`push`, `pull`, `scatter`) and source code reach an engine of any Python.
"""

import dis
import functools
import importlib
import opcode
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from operator import attrgetter
from types import CodeType
from typing import Any

from ipyparallel.serialize import codeutil

BEFORE_RESUME = ("COPY_FREE_VARS", "EXTENDED_ARG", "MAKE_CELL", "POP_TOP", "RETURN_GENERATOR")
NEVER_COMPILED = ("CACHE", "ENTER_EXECUTOR", "INTERPRETER_EXIT", "RESERVED")
OWN_FILE = re.compile(r".*[/\\](ipyparallel|ippnode)[/\\](.+)\.py")
"""A file of the packages that clients, controller and engines have alike."""


MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
"""This Python's minor version."""


class AnotherPython(Exception):
    """A function was made by another minor version of Python than the engine's."""

    def __init__(self, function: str) -> None:
        super().__init__(
            f"{display_name(function)} is byte code of another Python than this engine's {MINOR}: "
            f"use a client with Python {MINOR}, or an engine with the client's "
            "(images.NAME.python), or send source with execute()"
        )


def display_name(function: str) -> str:
    """A function's name as messages have it; `<lambda>` and the like stay as they are."""
    return function if function[-1:] in (">", ")") or " " in function else f"{function}()"


def _one_of(names: Iterable[str], caches: int = 0) -> bytes:
    numbers = b"".join(re.escape(bytes([dis.opmap[name]])) for name in names)
    return b"[%b].%b" % (numbers, b"\0\0" * caches)


def _form() -> re.Pattern[bytes]:
    """What all byte code of this Python looks like."""
    entries = opcode._inline_cache_entries  # by number; from Python 3.13 on, by name
    by_count: dict[int, list[str]] = defaultdict(list)
    for name, number in dis.opmap.items():
        if number < 256 and name not in NEVER_COMPILED and not name.startswith("INSTRUMENTED_"):
            count = entries.get(name, 0) if isinstance(entries, dict) else entries[number]
            by_count[count].append(name)
    begin = b"(?:%b)*%b" % (_one_of(BEFORE_RESUME), _one_of(["RESUME"]))
    rest = b"|".join(_one_of(names, count) for count, names in by_count.items())
    return re.compile(b"%b(?:%b)*+" % (begin, rest), re.DOTALL)


FORM = _form()
FOREIGN_END = b"\xad\x03\x77\x01" if sys.version_info < (3, 12) else b"no code ends so"
"""How generators of Python 3.12 end; to Python 3.11, which never compiles that, it is a jump."""


received: set[str] = set()
"""Names of the functions that came as byte code, and were taken, since this was last cleared."""


def is_native(code: bytes) -> bool:
    """Whether this Python can have compiled this byte code."""
    return FORM.fullmatch(code) is not None and not code.endswith(FOREIGN_END)


def guard() -> None:
    """Have this process refuse byte code of another Python when it unpacks a function."""
    make = codeutil.code_ctor

    @functools.wraps(make)  # it goes by its name into what is packed here
    def code_ctor(*args: Any) -> CodeType:
        given = dict(zip(codeutil._code_attr_names, args, strict=False))
        qualname = given["qualname"]
        if not isinstance(qualname, str):  # Python 3.10 has none there
            qualname = given["name"]
        if is_native(given["code"]):
            if not OWN_FILE.fullmatch(given["filename"]):
                received.add(qualname)
            return make(*args)
        return _own(given["filename"], qualname) or _refuse(qualname)

    codeutil.code_ctor = code_ctor


def _refuse(name: str) -> CodeType:
    raise AnotherPython(name)


def _own(filename: str, qualname: str) -> CodeType | None:
    """The function of that name in this engine's own copy of a file, if it has one."""
    place = OWN_FILE.fullmatch(filename)
    if place is None:
        return None
    if ".<locals>." in qualname:  # its place is in a function that is found by its name
        return _only_inside.__code__
    with suppress(ImportError, AttributeError):
        module = importlib.import_module(".".join([place[1], *re.split(r"[/\\]", place[2])]))
        return attrgetter(qualname)(module).__code__
    return None


def _only_inside(*_: Any, **__: Any) -> None:
    """Stand for a function that is within another; called by itself it has other globals."""
    from ippnode.bytecode import AnotherPython

    raise AnotherPython("a function within another")
