"""What the code of tasks may do: as in any Python."""

import multiprocessing
import signal
import time
from collections.abc import Callable
from typing import Any

import ipyparallel
import pytest
from cluster import Cluster, remote

pytestmark = pytest.mark.real


def run(cluster: Cluster, function: Callable[..., Any], *args: Any) -> ipyparallel.AsyncResult:
    """Run a function on one engine, until all its output is there."""
    client = cluster.client()
    result = client[client.ids[0]].apply_async(remote(function), *args)
    result.get(30)
    assert result.wait_for_output(10)
    return result


def execute(cluster: Cluster, *cells: str) -> list[str]:
    """Run cells on one engine, one after the other; what each has printed, or its error."""
    client = cluster.client()
    view = client[client.ids[-1]]
    ends = []
    for cell in cells:
        result = view.execute(cell, silent=False, block=False)
        try:
            result.get(20)
        except ipyparallel.RemoteError as error:
            ends.append(f"{error.ename}: {error.evalue}")
            continue
        assert result.wait_for_output(10)
        ends.append(result.stdout)
    return ends


# ---- processes


def test_children_end_on_sigterm_however_early_it_comes(cluster: Cluster) -> None:
    def end_many() -> list[int | None]:
        import multiprocessing
        import time

        ends = []
        for _ in range(40):
            child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(90,))
            child.start()
            child.terminate()
            child.join(5)
            ends.append(child.exitcode)
            child.kill()
        return ends

    assert run(cluster, end_many).get() == [-signal.SIGTERM] * 40


def test_a_handler_that_a_task_sets_is_inherited(cluster: Cluster) -> None:
    def end_one() -> int | None:
        import multiprocessing
        import os
        import signal
        import time

        before = signal.signal(signal.SIGTERM, lambda *_: os._exit(23))
        try:
            child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(90,))
            child.start()
        finally:
            signal.signal(signal.SIGTERM, before)
        child.terminate()
        child.join(5)
        return child.exitcode

    assert run(cluster, end_one).get() == 23


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_pools_and_executors_work(cluster: Cluster, method: str) -> None:
    def powers(method: str) -> list[Any]:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            first = pool.starmap_async(pow, [(2, n) for n in range(5)]).get(20)
        with ProcessPoolExecutor(2, mp_context=context) as executor:
            return [first, list(executor.map(pow, [3] * 4, range(4), timeout=20))]

    assert run(cluster, powers, method).get() == [[1, 2, 4, 8, 16], [1, 3, 9, 27]]


def test_what_children_and_programs_print_is_heard_before_the_task_counts_as_done(
    cluster: Cluster,
) -> None:
    def print_all() -> None:
        import multiprocessing
        import os
        import subprocess
        import sys

        print("the task")
        child = multiprocessing.get_context("fork").Process(target=print, args=("the child: ü",))
        child.start()
        child.join()
        subprocess.run(["echo", "a program"], check=True)
        subprocess.run(["echo", "its standard output"], stdout=sys.stdout, check=True)
        os.system("echo a shell 1>&2")

    for _ in range(10):
        result = run(cluster, print_all)
        said = ["the task", "the child: ü", "a program", "its standard output"]
        assert sorted(result.stdout.splitlines()) == sorted(said)
        assert result.stderr == "a shell\n"


def test_lines_of_many_children_stay_whole(cluster: Cluster) -> None:
    def print_many() -> None:
        import multiprocessing

        lines = [str(n % 10) * 700 for n in range(300)]
        with multiprocessing.get_context("fork").Pool(3) as pool:
            pool.map(print, lines)

    lines = run(cluster, print_many).stdout.splitlines()
    assert sorted(lines) == sorted(str(n % 10) * 700 for n in range(300))


def test_a_child_ends_where_its_program_does(cluster: Cluster) -> None:
    def fork(how: str) -> int:
        import os
        import sys

        if child := os.fork():
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if how == "exit":
            sys.exit(9)
        if how == "raise":
            raise LookupError("in the child")
        return -1

    assert [run(cluster, fork, how).get() for how in ("exit", "return")] == [9, 0]
    failed = run(cluster, fork, "raise")
    assert failed.get() == 1
    assert "in the child" in failed.stderr
    cell = "import os\nif os.fork() == 0:\n    raise SystemExit(6)\nprint(os.wait()[1] >> 8)"
    assert execute(cluster, cell) == ["6\n"]


# ---- asyncio


def test_functions_run_loops_of_their_own(cluster: Cluster) -> None:
    def by_run() -> int:
        import asyncio

        async def work() -> int:
            await asyncio.sleep(0.01)
            return 4

        return asyncio.run(work()) + asyncio.run(work())

    def by_loop(new: bool) -> int:
        import asyncio

        async def work() -> int:
            await asyncio.sleep(0.01)
            return 4

        loop = asyncio.new_event_loop() if new else asyncio.get_event_loop()
        return loop.run_until_complete(work()) + loop.run_until_complete(work())

    assert run(cluster, by_run).get() == 8
    assert run(cluster, by_loop, True).get() == 8
    assert run(cluster, by_loop, False).get() == 8
    client = cluster.client()
    assert client.load_balanced_view().apply_async(remote(by_run)).get(20) == 8


def test_async_functions_are_awaited(cluster: Cluster) -> None:
    async def double(n: int) -> int:
        import asyncio

        await asyncio.sleep(0.01)
        return 2 * n

    assert run(cluster, double, 21).get() == 42
    assert cluster.client()[:].map_async(remote(double), range(9)).get(20) == list(range(0, 18, 2))


def test_cells_await_and_run_loops(cluster: Cluster) -> None:
    assert execute(
        cluster,
        "import asyncio\nasync def five(): return 5",
        "await asyncio.sleep(0.01)\nprint('awaited')",
        "print(asyncio.run(five()))",
        "later = asyncio.create_task(five())\nawait asyncio.sleep(0)",
        "print(await later)",
    ) == ["", "awaited\n", "5\n", "", "5\n"]


def test_asyncio_that_cant_work_says_how_it_can(cluster: Cluster) -> None:
    create, nested = execute(
        cluster,
        "import asyncio\nasyncio.create_task(asyncio.sleep(0))",
        "await asyncio.sleep(0)\nasyncio.run(asyncio.sleep(0))",
    )
    assert create.startswith("RuntimeError: no running event loop: use asyncio.run() in a function")
    assert nested.endswith(": in a cell that awaits something, await this too")


def test_an_interrupt_ends_what_is_awaited(cluster: Cluster) -> None:
    def wait_long() -> None:
        import asyncio

        print("begun")
        asyncio.run(asyncio.sleep(90))

    client = cluster.client()
    view = client[client.ids[0]]
    cell = "import asyncio\nprint('begun')\nawait asyncio.sleep(90)"
    for task, error in (
        (view.apply_async(remote(wait_long)), "KeyboardInterrupt"),
        (view.execute(cell, silent=False, block=False), "CancelledError"),
    ):
        deadline = time.monotonic() + 20
        while "begun" not in task.stdout and time.monotonic() < deadline:
            time.sleep(0.05)
        client.send_signal("SIGINT", targets=view.targets, block=True)
        with pytest.raises(ipyparallel.RemoteError, match=error):
            task.get(20)


# ---- results


def test_a_result_that_a_client_cant_unpickle_is_an_error(cluster: Cluster) -> None:
    def of_the_engines_own() -> Any:
        import sys
        import types

        module = sys.modules["only_here"] = types.ModuleType("only_here")
        exec("class Thing: pass", vars(module))
        return module.Thing()

    client = cluster.client()
    for view in (client[client.ids[0]], client.load_balanced_view()):
        with pytest.raises(ipyparallel.RemoteError) as failed:
            view.apply_async(remote(of_the_engines_own)).get(20)
        assert failed.value.ename == "UnreadableResult"
        assert "ModuleNotFoundError: No module named 'only_here'" in failed.value.evalue
    both = client[:].apply_async(remote(of_the_engines_own))
    with pytest.raises(ipyparallel.error.CompositeError, match="only_here"):
        both.get(20)
