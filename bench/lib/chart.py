"""The phases of bringing up a cluster, drawn as SVG."""

from html import escape

from .figures import Figure

WIDTH, LEFT, BAR, GAP, TOP = 760, 190, 26, 16, 46

# Names of the bars: that of the parts in the figures, and what a reader calls it.
BARS = {
    "up": "pulumi up",
    "manual": "by hand, as a script",
    "manual, 100 ms": "the same, with short beats",
    "dask": "Dask's SSHCluster",
    "ssh launcher": "ipyparallel's SSH launcher",
}
# Each phase ends with a milestone: its colour's class, and what a reader calls it.
PHASES = {
    "program": ("p0", "Pulumi loads its program"),
    "containers": ("p1", "containers"),
    "copied": ("p2", "engines are started"),
    "started": ("p2", "engines are started"),
    "registered": ("p3", "engines register"),
    "ready": ("p4", "hello"),
    "up": ("p5", "Pulumi ends"),
    "answered": ("p4", "hello"),
}
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 15px; }
  .small { font-size: 11px; fill: #59636e; }
  .grid { stroke: #d1d9e0; }
  .p0 { fill: #54aeff; } .p1 { fill: #4ac26b; } .p2 { fill: #d4a72c; }
  .p3 { fill: #fb8f44; } .p4 { fill: #c297ff; } .p5 { fill: #8c959f; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; } .small { fill: #9198a1; } .grid { stroke: #3d444d; }
  }
"""


def phases(figures: list[Figure]) -> str:
    """Horizontal bars, one for each way to a cluster of 4 workers x 2 engines, of its phases.

    Readable on a light and on a dark page.
    """
    bars = [(title, own) for key, title in BARS.items() if (own := medians(figures, key))]
    longest = max((sum(seconds for _, seconds in own) for _, own in bars), default=1)
    scale = (WIDTH - LEFT - 50) / longest
    bottom = TOP + len(bars) * (BAR + GAP)
    title = "From no container to the hello of 8 engines in 4 containers"
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 50}" role="img">',
        f"<title>{title}, in seconds</title>",
        f"<style>{STYLE}</style>",
        text(8, 20, title, "title"),
        text(WIDTH - 8, 20, "seconds, medians", "small", "end"),
    ]
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100) if longest / step <= 10)
    for second in range(0, int(longest) + 1, step):
        x = LEFT + second * scale
        out.append(f'<path class="grid" d="M{x:.1f} {TOP - 10}V{bottom}"/>')
        out.append(text(x, bottom + 14, str(second), "small", "middle"))
    for row, (name, own) in enumerate(bars):
        y = TOP + row * (BAR + GAP)
        out.append(text(8, y + 17, name))
        x = float(LEFT)
        for phase, seconds in own:
            colour, meaning = PHASES[phase]
            out.append(
                f'<rect class="{colour}" x="{x:.1f}" y="{y}" width="{seconds * scale:.1f}" '
                f'height="{BAR}"><title>{escape(meaning)}: {seconds:.2f} s</title></rect>'
            )
            x += seconds * scale
        out.append(text(x + 6, y + 17, f"{sum(seconds for _, seconds in own):.1f}"))
    return "\n".join([*out, *legend(bottom + 38), "</svg>"])


def medians(figures: list[Figure], bar: str) -> list[tuple[str, float]]:
    """The phases of a bar, with their median seconds."""
    prefix = f"{bar}: "
    found = {
        part.removeprefix(prefix): sample.median
        for figure in figures
        if figure.name in ("up-manual", "up-ssh-launcher", "up-dask")
        for part, sample in figure.parts.items()
        if part.startswith(prefix)
    }
    return list(found.items())


def legend(y: float) -> list[str]:
    """One square for each colour, in a row."""
    out = []
    x = 8.0
    for colour, meaning in dict(PHASES.values()).items():
        out.append(f'<rect class="{colour}" x="{x:.0f}" y="{y - 9:.0f}" width="10" height="10"/>')
        out.append(text(x + 15, y, meaning, "small"))
        x += 34 + 6.2 * len(meaning)
    return out


def text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    attributes = f' class="{kind}"' if kind else ""
    return (
        f'<text{attributes} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'
    )
