"""The latest output of engines, kept for clients that begin to listen."""

import pytest
import zmq
from ippnode import recent
from ippnode.recent import CONNECT_SECONDS, ENDS_SECONDS, EVERYBODY, RecentOutput
from jupyter_client.session import DELIM


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def monotonic(self) -> float:
        """The time that it shows."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(recent, "time", made)
    return made


def message(kind: bytes, session: bytes, content: bytes) -> list[zmq.Frame]:
    parent = b'{"session": "%b"}' % session
    frames = [b"engine.1." + kind, DELIM, b"signature", b"header", parent, b"{}", content]
    return [zmq.Frame(frame) for frame in frames]


def texts(found: RecentOutput) -> list[bytes]:
    return [frames[-1].bytes for frames in found.missed()]


def test_recent_output_what_an_announced_client_missed_keeps_its_order(clock: Clock) -> None:
    output = RecentOutput()
    output.announce(b"a")
    output.add(message(b"stdout", b"a", b"printed"))
    output.add(message(b"status", b"a", b"idle"))
    output.add(message(b"stdout", b"b", b"of another client"))
    assert texts(output) == [b"printed", b"idle"]


@pytest.mark.parametrize("announced", [b"a", EVERYBODY], ids=["client", "after a restart"])
def test_recent_output_an_end_outlives_the_output_that_was_kept_with_it(
    clock: Clock, announced: bytes
) -> None:
    output = RecentOutput()
    output.announce(announced)
    output.add(message(b"stdout", b"a", b"printed"))
    output.add(message(b"status", b"a", b"idle"))
    clock.now += CONNECT_SECONDS + 1
    assert texts(output) == [b"idle"]
    clock.now += ENDS_SECONDS + 1
    assert texts(output) == []


def test_recent_output_an_end_outlives_output_that_takes_too_much(clock: Clock) -> None:
    output = RecentOutput()
    output.announce(b"a")
    output.add(message(b"status", b"a", b"idle"))
    output.add(message(b"stdout", b"a", b"x" * recent.KEEP_BYTES))
    assert texts(output) == [b"idle"]
