"""What every measurement is given."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .figures import Figure
from .log import say
from .peers import Peers


@dataclass
class Context:
    """How to measure, and where the figures go."""

    peers: Peers
    runs: int
    wanted: Collection[str]
    figures: list[Figure] = field(default_factory=list)

    @property
    def python(self) -> Path:
        return self.peers.python

    def wants(self, *names: str) -> bool:
        """Whether one of these figures is asked for."""
        return any(name in self.wanted for name in names)

    def add(self, figure: Figure) -> None:
        """Takes a figure, if it is asked for."""
        if self.wants(figure.name):
            self.figures.append(figure)

    def repeat(self, what: str, runs: int | None = None) -> Iterator[int]:
        """Counts the runs and tells of each."""
        total = self.runs if runs is None else min(runs, self.runs)
        for run in range(1, total + 1):
            say(f"{what}: run {run} of {total}")
            yield run
