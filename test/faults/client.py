"""A user's program with an open Client, told what to do by a test: lines of JSON, both ways.

client.py PROFILE
"""

import collections
import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipyparallel import AsyncResult, Client
from ipyparallel.error import RemoteError

STREAM_SECONDS = 0.1
"""Between two tasks of the stream."""
NO_HANG_SECONDS = 35.0
"""A task must have ended so long after a fault, in whatever way."""


def work(seconds: float) -> str:
    """A task that takes a while; it sleeps in a way that a faked clock does not disturb."""
    import select

    select.select([], [], [], seconds)
    return "done"


def outcome(task: AsyncResult, deadline: float) -> str:
    """What became of a task: its value, or the name of the error it ended with."""
    try:
        return task.get(max(deadline - time.monotonic(), 0.1))
    except RemoteError as error:
        return error.ename
    except TimeoutError:
        return "hangs"


class Stream(threading.Thread):
    """A steady stream of load-balanced tasks, from a Client of its own."""

    def __init__(self, profile: str) -> None:
        super().__init__(daemon=True)
        self.client = Client(profile=profile, timeout=20)
        self.ends: collections.Counter[str] = collections.Counter()
        self.sent = 0
        self.hung: list[float] = []
        """When the tasks were sent that never ended."""
        self.stop = threading.Event()

    def run(self) -> None:
        view = self.client.load_balanced_view()
        waiting: collections.deque[tuple[float, AsyncResult]] = collections.deque()
        while not self.stop.wait(STREAM_SECONDS):
            waiting.append((time.time(), view.apply_async(work, 0.05)))
            self.sent += 1
            for _ in range(len(waiting)):
                sent, task = waiting.popleft()
                if task.ready():
                    self.end(sent, task, 0)
                else:
                    waiting.append((sent, task))
        deadline = time.monotonic() + NO_HANG_SECONDS
        for sent, task in waiting:
            self.end(sent, task, deadline)

    def end(self, sent: float, task: AsyncResult, deadline: float) -> None:
        """Count how a task ended, and keep nothing of it."""
        end = outcome(task, deadline)
        self.ends[end] += 1
        if end == "hangs":
            self.hung.append(sent)
        for id in task.msg_ids:
            self.client.results.pop(id, None)
            self.client.metadata.pop(id, None)
            self.client.history.remove(id)


class Program:
    """What the test can ask for."""

    def __init__(self, profile: str) -> None:
        self.profile = profile
        self.client = Client(profile=profile, timeout=20)
        self.direct: dict[str, AsyncResult] = {}
        self.balanced: list[AsyncResult] = []

    def slots(self, client: Client) -> list[tuple[int, str]]:
        """Id and slot (worker and number) of every registered engine."""
        return [(id, client._engines[id].rsplit("-", 1)[0]) for id in client.ids]

    def work(self, seconds: float, balanced: int) -> None:
        """Give every engine a task, and all of them together some more."""
        self.direct = {
            slot: self.client[id].apply_async(work, seconds) for id, slot in self.slots(self.client)
        }
        view = self.client.load_balanced_view()
        # These begin after the direct tasks: a client whose last message before a power cut is a
        # result of less than 0.1 s ago notices nothing (docs/limits.md).
        time.sleep(0.3)
        self.balanced = [view.apply_async(work, 0.3) for _ in range(balanced)]

    def outcomes(self, within: float) -> dict[str, Any]:
        """How that work ended."""
        deadline = time.monotonic() + within
        direct = {slot: outcome(task, deadline) for slot, task in self.direct.items()}
        balanced = collections.Counter(outcome(task, deadline) for task in self.balanced)
        return {"direct": direct, "balanced": balanced}

    def answering(self, only: list[str]) -> list[str]:
        """Those of some slots that answer."""
        asked = {
            slot: self.client[id].apply_async(int)
            for id, slot in self.slots(self.client)
            if slot in only
        }
        deadline = time.monotonic() + 2
        return [slot for slot, task in asked.items() if outcome(task, deadline) == 0]

    def strength(self, slots: list[str], within: float) -> dict[str, Any]:
        """Wait until just these engines are there and answer, as another Client sees it too."""
        start = time.monotonic()
        while True:
            missing = self.missing(self.client, slots)
            if not missing:
                try:
                    with Client(profile=self.profile, timeout=5) as again:
                        missing = self.missing(again, slots)
                except TimeoutError:
                    missing = "no client can be opened"
            seconds = time.monotonic() - start
            if not missing or seconds > within:
                return {"seconds": seconds, "missing": missing}
            time.sleep(0.1)

    def missing(self, client: Client, slots: list[str]) -> str:
        """What a client sees missing; "" at full strength."""
        found = self.slots(client)
        if sorted(slot for _, slot in found) != sorted(slots):
            return f"the engines are {found}"
        try:
            asked = {slot: client[id].apply_async(int) for id, slot in found}
        except IndexError as error:  # it went this very moment
            return str(error)
        deadline = time.monotonic() + 2
        silent = {slot: outcome(task, deadline) for slot, task in asked.items()}
        silent = {slot: end for slot, end in silent.items() if end != 0}
        return f"not answering: {silent}" if silent else ""

    def bytes(self, slot: str, count: int) -> str:
        """Have an engine use so much memory; how that ended."""
        id = next(id for id, found in self.slots(self.client) if found == slot)
        task = self.client[id].apply_async(lambda count: len(bytearray(count)), count)
        return str(outcome(task, time.monotonic() + NO_HANG_SECONDS))

    def echo(self, text: str) -> dict[str, str]:
        """Have every engine compute on a text and give it back."""
        done = self.client[:].apply_async(lambda text: text[::-1] + text, text)
        return dict(zip([slot for _, slot in self.slots(self.client)], done.get(20), strict=True))

    def idents(self) -> dict[str, str]:
        """Each slot's ident."""
        return {slot: self.client._engines[id] for id, slot in self.slots(self.client)}

    def stream(self) -> None:
        """Begin the stream of tasks."""
        self.streaming = Stream(self.profile)
        self.streaming.start()

    def end_stream(self) -> dict[str, Any]:
        """End the stream; how many tasks there were, and how they ended."""
        self.streaming.stop.set()
        self.streaming.join()
        stream = self.streaming
        return {"sent": stream.sent, "ends": stream.ends, "hung": stream.hung}


def main() -> None:
    """Answer one request after the other."""
    answers = sys.stdout
    # ipyparallel prints, too: of replies that it has already, for instance.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        program = Program(sys.argv[1])
        for line in sys.stdin:
            request = json.loads(line)
            method: Callable[..., Any] = getattr(program, request.pop("do"))
            print(json.dumps(method(**request)), file=answers, flush=True)


if __name__ == "__main__":
    main()
