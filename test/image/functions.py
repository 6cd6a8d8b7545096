"""Functions as a client sends them; run by each Python, it notes them in functions.json."""

import json
import pickle
import re
import sys
from base64 import b64encode
from pathlib import Path
from types import CodeType

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "docker"))

from ippnode.probe import describe
from ipyparallel import util
from ipyparallel.client.view import BroadcastView
from ipyparallel.serialize import canning


def hello():
    """A function that is the same in most versions, but for its beginning."""
    return "Hello World"


def squares(n):
    """A comprehension is a function of its own up to Python 3.11."""
    return [i * i for i in range(n)]


def generator(n):
    """A generator has something before its RESUME."""
    yield from range(n)


def _closure():
    ten = 10

    def closure(n):
        return max(n, ten)

    return closure


def total(a, b):
    """Instructions that Python 3.11 and 3.12 have alike."""
    return a + b


async def coroutine(n):
    """So has a coroutine."""
    return n


def module_wide(n):
    """Names of modules and attributes have caches."""
    import math

    return math.sqrt(n * n) if n > 0 else math.pi


def part():
    """Stands for a function that is within one of ipyparallel's."""


part.__code__ = part.__code__.replace(
    co_filename=util.__file__, co_qualname="interactive.<locals>.part"
)


def elsewhere(code):
    """The same code, as of a file that is in another folder than here."""
    consts = (elsewhere(one) if isinstance(one, CodeType) else one for one in code.co_consts)
    file = re.sub(r".*/(ipyparallel|ippnode|image)/", r"/elsewhere/\1/", code.co_filename)
    return code.replace(co_filename=file, co_consts=tuple(consts))


FILE = Path(__file__).parent / "functions.json"
sent = [hello, squares, generator, _closure(), coroutine, module_wide, total, part]
sent += [describe, util._pull, BroadcastView._broadcast_map]
for one in sent:
    one.__code__ = elsewhere(one.__code__)
noted = json.loads(FILE.read_text()) if FILE.exists() else {}
noted[f"{sys.version_info.major}.{sys.version_info.minor}"] = {
    one.__name__: b64encode(pickle.dumps(canning.can(one), 4)).decode() for one in sent
}
FILE.write_text(json.dumps(noted, indent=1, sort_keys=True) + "\n")
