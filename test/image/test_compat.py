"""Replacing upstream names, and processes that have the replacements or do not work."""

import multiprocessing
import subprocess
import sys
from types import SimpleNamespace

import pytest
from conftest import DOCKER
from ippnode import compat


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Something with a name that can be replaced."""
    monkeypatch.setattr(compat, "_replaced", [])
    return SimpleNamespace(__name__="upstream", name=1)


def test_a_name_that_is_not_there_is_not_replaced(owner: SimpleNamespace) -> None:
    compat.replace(owner, "name", 2)
    assert owner.name == 2
    with pytest.raises(AttributeError, match="upstream has no 'renamed' that could be replaced"):
        compat.replace(owner, "renamed", 2)


def test_a_replacement_that_is_lost_is_noticed(owner: SimpleNamespace) -> None:
    with pytest.raises(RuntimeError, match="all of them"):
        compat.verify()
    compat.replace(owner, "name", 2)
    compat.verify()
    owner.name = 1
    with pytest.raises(RuntimeError, match=r"upstream\.name"):
        compat.verify()


def test_processes_are_forked_whatever_the_default_is(owner: SimpleNamespace) -> None:
    compat.replace(owner, "name", 2)
    ours, theirs = multiprocessing.Pipe()
    # What is not at the top of a module can't be sent to a process that is started otherwise.
    process = compat.ControllerProcess(target=lambda: theirs.send(owner.name))
    process.start()
    assert ours.poll(10)
    assert ours.recv() == 2
    process.join(10)
    assert process.exitcode == 0


def test_a_process_without_the_replacements_does_not_work() -> None:
    code = """
from ippnode.compat import ControllerProcess
ControllerProcess(target=print, args=["worked"]).run()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=DOCKER, capture_output=True, text=True, check=False
    )
    assert done.returncode
    assert done.stdout == ""
    assert "it was not forked from the process that made them" in done.stderr
