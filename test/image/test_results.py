"""Results as engines pack them, unpacked as clients do. Quick."""

import pickle
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy
import pytest
from ippnode import bytecode, results
from ipyparallel.error import RemoteError
from ipyparallel.serialize import serialize


@pytest.fixture(autouse=True)
def _no_function_came() -> Iterator[None]:
    bytecode.received.clear()
    yield
    bytecode.received.clear()


def at_client(value: Any) -> Any:
    """What a client makes of a result."""
    unpacked, rest = serialize.deserialize_object(results.serialize_result(value))
    assert rest == []
    return unpacked


@pytest.mark.parametrize("from_a_function", [False, True])
def test_results_arrive_as_they_were(from_a_function: bool) -> None:
    if from_a_function:
        bytecode.received.add("work")
    for value in (None, 7, "text", [1, (2, {"a": {3.5}})], b"x" * 3000, complex(1, 2), range(4)):
        assert at_client(value) == value
    large = numpy.arange(60_000.0).reshape(200, 300)
    for array in (large, large[:2, :2], numpy.array([])):
        assert at_client(array).tolist() == array.tolist()
    assert [one.tolist() for one in at_client([large, large[0]])] == [
        large.tolist(),
        large[0].tolist(),
    ]
    assert at_client({"a": large, "b": 2})["a"].tolist() == large.tolist()


def test_plain_data_without_a_function_is_packed_as_ipyparallel_does() -> None:
    for value in (None, {"a": [1, 2.5, "b"]}):
        assert results.serialize_result(value) == serialize.serialize_object(value)


def test_results_of_a_client_with_another_python_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bytecode.received.add("<lambda>")
    packed = [results.serialize_result(value) for value in (3, numpy.float64(2.5))]
    assert [serialize.deserialize_object(one)[0] for one in packed] == [3, 2.5]
    monkeypatch.setattr(sys, "hexversion", 0x030A00F0)
    for one in packed:
        refused = serialize.deserialize_object(one)[0]
        assert isinstance(refused, RemoteError)
        assert refused.ename == "AnotherPython"
        assert refused.evalue.startswith(
            f"<lambda> is byte code of another Python than this engine's {bytecode.MINOR}: use a"
        )


def test_what_a_client_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("not_at_the_client")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec("class Thing: pass", vars(module))
    thing = results.serialize_result([module.Thing()])
    array = results.serialize_result(numpy.ones(3))
    monkeypatch.delitem(sys.modules, module.__name__)
    monkeypatch.setitem(sys.modules, "numpy", None)
    for packed, lacking in ((thing, "not_at_the_client"), (array, "numpy")):
        error = serialize.deserialize_object(packed)[0]
        assert isinstance(error, RemoteError)
        assert error.ename == "UnreadableResult"
        assert lacking in error.evalue


def test_numpys_values_are_readable_by_numpy_1() -> None:
    for value in (numpy.float32(1.5), {"nested": [numpy.eye(2)]}, numpy.datetime64("2026-01-02")):
        packed = b"".join(bytes(part) for part in results.serialize_result(value))
        assert b"numpy._core" not in packed
        assert pickle.loads(pickle.dumps(value, 4)) is not None


def test_functions_in_results_are_for_clients_with_the_same_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def double(n: int) -> int:
        return 2 * n

    double.__module__ = "__main__"
    packed = results.serialize_result(double)
    assert serialize.deserialize_object(packed)[0](4) == 8
    monkeypatch.setattr(sys, "hexversion", 0x030E00F0)
    refused = serialize.deserialize_object(packed)[0]
    assert "a function in the result is byte code of another Python" in str(refused)


async def _three() -> int:
    return 3


def test_coroutines_are_run() -> None:
    assert at_client(_three()) == 3
    assert at_client([_three(), _three()]) == [3, 3]
