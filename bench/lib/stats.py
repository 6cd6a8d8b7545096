"""Medians with their spread."""

from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Sample:
    """The values of one measured quantity, one for each run."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)

    def text(self, unit: str) -> str:
        """The median, and from where to where the values go."""
        if self.low == self.high:
            return f"{number(self.median)}{unit}"
        return f"{number(self.median)}{unit} ({number(self.low)} to {number(self.high)})"


def ratios(values: list[float], others: list[float]) -> Sample:
    """The ratio of two quantities in each run. Runs are interleaved, so load falls out of it."""
    return Sample(tuple(a / b for a, b in zip(values, others, strict=True)))


def number(value: float) -> str:
    """Three significant digits, or a whole number."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
