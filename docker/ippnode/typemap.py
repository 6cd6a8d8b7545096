"""Which values ipyparallel treats in a way of their own when it packs them."""

import sys
from collections.abc import Callable, ItemsView
from typing import Any

Canner = Callable[..., Any]


class TypeMap(dict[str | type, Canner]):
    """ipyparallel's `can_map`, whose types that are given by name ("numpy.ndarray") come in when
    their module has been imported by somebody else: before that there are no values of them."""

    def items(self) -> ItemsView[Any, Canner]:
        """The types that there can be values of."""
        for name in [key for key in self if isinstance(key, str)]:
            module, _, kind = name.rpartition(".")
            if kind in vars(sys.modules.get(module) or object):
                self[getattr(sys.modules[module], kind)] = self.pop(name)
        return {key: canner for key, canner in super().items() if not isinstance(key, str)}.items()
