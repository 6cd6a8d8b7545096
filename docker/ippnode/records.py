"""What the hub keeps of tasks, within a limit.

Clients may ask for a result by the id of its task, also of another client's. ipyparallel keeps
1,024 tasks and a gibibyte of their data. Here the limit is the memory that they take, all in all:
the oldest tasks that are done are dropped first; the oldest of all, done or not, where those that
are not done have taken more than half of it.
"""

from collections.abc import Callable
from typing import Any

from ipyparallel.controller.dictdb import DictDB
from traitlets import Any as AnyTrait

RECORD_BYTES = 8 * 1024
"""What a record takes besides its data: about 6 KiB were measured."""
DATA = ("buffers", "result_buffers")
TEXT = ("stdout", "stderr", "execute_input")


def size_of(record: dict[str, Any]) -> int:
    """How many bytes a record takes, about."""
    data = sum(memoryview(buffer).nbytes for key in DATA for buffer in record.get(key) or [])
    return RECORD_BYTES + data + sum(len(record.get(key) or "") for key in TEXT)


class RecordStore(DictDB):
    """Records of tasks in memory, `size_limit` bytes of them."""

    on_drop: Callable[[str], object] = AnyTrait(lambda id: None)
    """Called with the id of each record that is no more."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._sizes: dict[str, int] = {}
        self._done: dict[str, None] = {}
        """The ids of tasks that are done, the oldest first; and of those that only print."""
        self._done_bytes = 0

    def __contains__(self, id: str) -> bool:
        """Whether there is a record of a task."""
        return id in self._records

    def update_record(self, msg_id: str, rec: dict[str, Any]) -> None:
        """Note more of a task; of one whose record was dropped, nothing is kept any more."""
        if msg_id in self:
            super().update_record(msg_id, rec)

    def drop_record(self, msg_id: str) -> None:
        """Forget a task."""
        super().drop_record(msg_id)
        self.on_drop(msg_id)

    def drop_matching_records(self, check: dict[str, Any]) -> None:
        """Forget some tasks."""
        for rec in self._match(check):
            self.drop_record(rec["msg_id"])

    def _match(self, check: dict[str, Any]) -> list[dict[str, Any]]:
        """The records that match; those that are asked for by id are not searched for."""
        ids = check.get("msg_id")
        if not isinstance(ids, dict) or set(ids) != {"$in"} or len(check) > 1:
            return super()._match(check)
        return [self.get_record(id) for id in dict.fromkeys(ids["$in"]) if id in self]

    def _add_bytes(self, rec: dict[str, Any]) -> None:
        id = rec["msg_id"]
        self._sizes[id] = size_of(rec)
        self._buffer_bytes += self._sizes[id]
        # What a task prints after its record was dropped makes a record that is never completed.
        if rec.get("completed") or not rec.get("submitted"):
            self._done[id] = None
            self._done_bytes += self._sizes[id]
        self._maybe_cull()

    def _drop_bytes(self, rec: dict[str, Any]) -> None:
        id = rec["msg_id"]
        size = self._sizes.pop(id, 0)
        self._buffer_bytes -= size
        if id in self._done:
            del self._done[id]
            self._done_bytes -= size

    def _maybe_cull(self) -> None:
        while self._buffer_bytes > self.size_limit and len(self._records) > 1:
            # Tasks that wait must not take the room of all that are done.
            plenty = self._done_bytes > self.size_limit / 2
            self.drop_record(next(iter(self._done if plenty else self._records)))
