"""The figures that the bench measures, each with the bound that it must keep."""

from dataclasses import dataclass, field

from .stats import Sample, number


@dataclass
class Figure:
    """One measured figure."""

    name: str
    """How `--only` calls it."""
    what: str
    bound: float | None = None
    """The median must not be above it. None: there is no bound, the figure is for information."""
    unit: str = ""
    sample: Sample | None = None
    missing: str | None = None
    """Why it could not be measured."""
    parts: dict[str, Sample] = field(default_factory=dict)
    """What it is made of, in seconds unless the name says otherwise."""

    @property
    def holds(self) -> bool | None:
        if self.sample is None or self.bound is None:
            return None
        return self.sample.median <= self.bound

    def verdict(self) -> str:
        if self.sample is None:
            return "not measured"
        if self.bound is None:
            return "-"
        return "holds" if self.holds else "MISSED"

    def bound_text(self) -> str:
        return "-" if self.bound is None else f"<= {number(self.bound)}{self.unit}"

    def to_json(self) -> dict:
        return {
            "name": self.name,
            "what": self.what,
            "unit": self.unit,
            "bound": self.bound,
            "holds": self.holds,
            "missing": self.missing,
            **_sample_json(self.sample),
            "parts": {name: _sample_json(sample) for name, sample in self.parts.items()},
        }


def _sample_json(sample: Sample | None) -> dict:
    if sample is None:
        return {}
    return {
        "median": sample.median,
        "min": sample.low,
        "max": sample.high,
        "values": list(sample.values),
    }
