"""What the hub keeps of tasks."""

from datetime import UTC, datetime
from typing import Any

import pytest
from ippnode import records
from ippnode.hub import LatestIds
from ippnode.records import RecordStore
from ipyparallel.controller.hub import empty_record


def record(id: str, inputs: int = 0) -> dict[str, Any]:
    """A record of a task that was sent just now."""
    return {
        **empty_record(),
        "msg_id": id,
        "buffers": [bytes(inputs)],
        "submitted": datetime.now(UTC),
    }


def done(result: int) -> dict[str, Any]:
    """What is noted when a task is done."""
    return {
        "completed": datetime.now(UTC),
        "result_buffers": [memoryview(bytes(result))],
    }


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> RecordStore:
    """A store of 1,000 bytes, in which a record takes 10 besides its data."""
    monkeypatch.setattr(records, "RECORD_BYTES", 10)
    return RecordStore(size_limit=1000)


def ids(store: RecordStore) -> list[str]:
    """The ids of all records."""
    return sorted(store.get_history())


def test_the_oldest_tasks_that_are_done_are_dropped_first(store: RecordStore) -> None:
    dropped: list[str] = []
    store.on_drop = dropped.append
    for id in ("waiting", "second", "first"):
        store.add_record(id, record(id, 90))
    store.update_record("first", done(300))
    store.update_record("second", done(200))
    assert ids(store) == ["first", "second", "waiting"]
    store.add_record("large", record("large", 150))
    assert ids(store) == ["first", "large", "second", "waiting"]
    store.update_record("large", done(100))
    assert dropped == ["first"]
    assert "first" not in store
    assert "waiting" in store


def test_waiting_tasks_leave_room_for_those_that_are_done(store: RecordStore) -> None:
    store.add_record("first", record("first", 90))
    for number in range(30):
        store.add_record(str(number), record(str(number), 90))
    assert ids(store) == sorted(map(str, range(20, 30)))
    store.update_record("3", done(10))
    store.update_record("29", done(90))
    assert ids(store) == sorted(map(str, range(21, 30)))
    assert store.get_record("29")["completed"]


def test_what_is_printed_for_a_dropped_task_does_not_stay(store: RecordStore) -> None:
    for number in range(10):
        store.add_record(str(number), {**empty_record(), "msg_id": str(number), "stdout": "x" * 90})
    for number in range(10, 14):
        store.add_record(str(number), record(str(number), 40))
        store.update_record(str(number), done(40))
    assert ids(store) == ["10", "11", "12", "13"]


def test_one_record_stays_however_large_it_is(store: RecordStore) -> None:
    store.add_record("huge", record("huge", 5000))
    store.update_record("huge", done(7000))
    assert ids(store) == ["huge"]
    store.add_record("next", record("next"))
    assert ids(store) == ["next"]


def test_what_is_printed_counts_too(store: RecordStore) -> None:
    store.add_record("talks", record("talks"))
    store.update_record("talks", done(0))
    store.add_record("other", record("other"))
    store.update_record("talks", {"stdout": "x" * 990})
    assert ids(store) == ["other"]


def test_purged_records_leave_nothing_behind(store: RecordStore) -> None:
    for number in range(5):
        store.add_record(str(number), record(str(number), 50))
        store.update_record(str(number), done(50))
    store.drop_matching_records({"completed": {"$ne": None}})
    assert ids(store) == []
    assert store._buffer_bytes == 0
    assert not store._sizes
    assert not store._done


def test_records_are_found_by_id_and_otherwise(store: RecordStore) -> None:
    for id in ("a", "b", "c"):
        store.add_record(id, record(id))
    store.update_record("b", done(5))
    found = store.find_records({"msg_id": {"$in": ["c", "x", "a", "c"]}}, ["submitted"])
    assert [one["msg_id"] for one in found] == ["c", "a"]
    assert [one["msg_id"] for one in store.find_records({"completed": {"$ne": None}})] == ["b"]


def test_an_engine_has_its_latest_tasks_and_their_number() -> None:
    latest = LatestIds()
    for number in range(7_300):
        latest.append(str(number))
    assert len(latest) == 7_300
    kept = list(latest)
    assert kept == [str(number) for number in range(7_300 - len(kept), 7_300)]
    assert 1_000 <= len(kept) <= 2_000
