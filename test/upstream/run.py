"""ipyparallel's own tests, on a cluster of this project's image.

`ipyparallel.tests` starts a controller and engines in three functions, `setup`, `teardown` and
`add_engines`. Here these use one cluster of containers, for all modules. Every test that passes on
plain ipyparallel must pass here as well; `SKIPPED` has those that can't apply, with the reason.

    run.py [ARGUMENTS OF PYTEST]
"""

import json
import sys
from pathlib import Path
from typing import Any

import ipyparallel
import pytest
import zmq
from ipyparallel import error, tests
from IPython.paths import get_ipython_dir

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "image"))

from cluster import Cluster, wait_until  # noqa: E402
from conftest import build_image  # noqa: E402

TAG = "ippimg-upstream"
PACKAGES = "pytest testpath joblib dill cloudpickle distributed"
"""What the engines import for these tests."""
WORKER = "w1"
START_SECONDS = 30.0
"""How long engines may take to be there, and gone, between two modules."""

MODULES = (
    "test_async",
    "test_asyncresult",
    "test_canning",
    "test_client",
    "test_db",
    "test_dependency",
    "test_executor",
    "test_joblib",
    "test_lbview",
    "test_magics",
    "test_remotefunction",
    "test_serialize",
    "test_view",
    "test_view_broadcast",
)
"""The others start controllers and engines of their own, through launchers, or a shell."""

SKIPPED = {
    "test_client::TestClient::test_warning_on_hostname_match": (
        "the client file has the controller's address, so that no location is guessed"
    ),
}
"""Tests that can't apply, as `module::test` or `module::class::test`, with the reason."""


class Engine:
    """What the tests want to know of an engine's process: that it runs. A dead one comes back."""

    def poll(self) -> None:
        """No exit status: the worker starts it again."""


class ProjectCluster:
    """A plugin for pytest: one cluster in place of those that the tests would start."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.count = 0
        # The tests destroy the context that all others have.
        self.client = ipyparallel.Client(self._connection(), timeout=10, context=zmq.Context())
        self.prepared: set[int] = set()
        tests.setup, tests.teardown, tests.add_engines = self.setup, self.teardown, self.add
        tests.RemoteErrorWithTB = error.RemoteError  # a subclass of a class that it replaces

    def setup(self) -> None:
        """Write the profile that the tests open, and begin with two engines, as the tests do."""
        security = Path(get_ipython_dir()) / "profile_iptest" / "security"
        security.mkdir(parents=True)
        (security / "ipcontroller-client.json").write_text(json.dumps(self._connection()))
        self._set(2)

    def _connection(self) -> dict[str, Any]:
        interface = f"tcp://{self.cluster.address('controller')}"
        return self.cluster.connection("client", interface)

    def teardown(self) -> None:
        """Nothing: the cluster is used again."""

    def add(self, n: int = 1, profile: str = "iptest", total: bool = False) -> list[Engine]:
        """Add `n` engines; with `total`, until there are `n`."""
        before = self.count
        self._wait_for_engines()
        if (wanted := n if total else before + n) > before:
            self._set(wanted)
        return [Engine() for _ in range(self.count - before)]

    def _set(self, count: int) -> None:
        self.cluster.engines(WORKER, count)
        self.count = count
        self._wait_for_engines()

    def _wait_for_engines(self) -> None:
        """Wait until all are there, also one that a test has ended, and prepare those that are new.

        The tests start engines without colors, and look for words in what they print.
        """
        wait_until("all engines", START_SECONDS, lambda: len(self.client.ids) == self.count)
        for id in set(self.client.ids) - self.prepared:
            self.client[id].execute("%colors nocolor", block=True)
            self.prepared.add(id)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Skip what can't apply, with its reason."""
        for item in items:
            name = item.nodeid.partition("::")[2]
            if reason := SKIPPED.get(f"{item.path.stem}::{name}"):
                item.add_marker(pytest.mark.skip(reason=reason))


def main(arguments: list[str]) -> int:
    """Build the image, bring the cluster up, run the tests, remove the cluster."""
    image = build_image(TAG, "--build-arg", f"PACKAGES={PACKAGES}")
    with Cluster(image) as cluster:
        for name in ("controller", WORKER):
            cluster.create(name)
        cluster.start_controller()
        modules = [f"ipyparallel.tests.{module}" for module in MODULES]
        options = ["-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "--pyargs"]
        options += [*modules, *arguments]
        return int(pytest.main(options, plugins=[ProjectCluster(cluster)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
