"""ipyparallel's own tests, on a cluster of this project's image.

`ipyparallel.tests` starts a controller and engines in three functions, `setup`, `teardown` and
`add_engines`. Here these use one cluster of containers, for all modules. Every test that passes on
plain ipyparallel must pass here as well; `SKIPPED` has those that can't apply, with the reason.

    run.py [ARGUMENTS OF PYTEST]
"""

import json
import sys
import time
from pathlib import Path

import pytest
from ipyparallel import error, tests
from IPython.paths import get_ipython_dir

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "image"))

from cluster import Cluster  # noqa: E402
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

SKIPPED: dict[str, str] = {}
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
        tests.setup, tests.teardown, tests.add_engines = self.setup, self.teardown, self.add
        tests.RemoteErrorWithTB = error.RemoteError  # a subclass of a class that it replaces

    def setup(self) -> None:
        """Write the profile that the tests open, and begin with two engines, as the tests do."""
        security = Path(get_ipython_dir()) / "profile_iptest" / "security"
        security.mkdir(parents=True)
        interface = f"tcp://{self.cluster.address('controller')}"
        file = security / "ipcontroller-client.json"
        file.write_text(json.dumps(self.cluster.connection("client", interface)))
        self._set(2)

    def teardown(self) -> None:
        """Nothing: the cluster is used again."""

    def add(self, n: int = 1, profile: str = "iptest", total: bool = False) -> list[Engine]:
        """Add `n` engines; with `total`, until there are `n`."""
        before = self.count
        if (wanted := n if total else before + n) > before:
            self._set(wanted)
        return [Engine() for _ in range(self.count - before)]

    def _set(self, count: int) -> None:
        self.cluster.engines(WORKER, count)
        self.cluster.ready({WORKER: count})
        deadline = time.monotonic() + START_SECONDS
        while len(self.cluster.status("controller")["engines"]) != count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"there are not {count} engines")
            time.sleep(0.1)
        self.count = count

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
