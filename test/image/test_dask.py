"""Dask's scheduler in the hub."""

import asyncio
from types import SimpleNamespace

import pytest
from ippnode.hub import RestoringHub


def test_dask_is_refused_where_engines_on_other_hosts_can_not_reach_it() -> None:
    hub = SimpleNamespace(parent=SimpleNamespace(several_hosts=True))
    with pytest.raises(NotImplementedError, match="on one host"):
        asyncio.run(RestoringHub.become_dask(hub, b"", {}))
