"""The phases of bringing up a cluster, drawn as SVG."""

from html import escape

from .figures import Figure

WIDTH, LEFT, BAR, GAP, TOP = 720, 150, 26, 18, 46
# Names of the bars: that of the parts in the figures, and what a reader calls it.
BARS = {
    "up": "pulumi up",
    "manual": "by hand, as a script",
    "manual, 100 ms": "the same, 100 ms beats",
    "dask": "Dask SSHCluster",
    "ssh launcher": "ipyparallel's SSH launcher",
}
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 15px; }
  .small { font-size: 11px; fill: #59636e; }
  .grid { stroke: #d1d9e0; }
  .p0 { fill: #54aeff; } .p1 { fill: #4ac26b; } .p2 { fill: #d4a72c; }
  .p3 { fill: #fb8f44; } .p4 { fill: #c297ff; } .p5 { fill: #ff80c8; }
  .in { font-size: 11px; fill: #1f2328; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; } .small { fill: #9198a1; } .grid { stroke: #3d444d; }
    .in { fill: #1f2328; }
  }
"""


def phases(figures: list[Figure]) -> str:
    """Horizontal bars, one for each way to a cluster of 4 workers x 2 engines, of its phases.

    Works on a light and on a dark page.
    """
    parts = {}
    for figure in figures:
        if figure.name in ("up-manual", "up-ssh-launcher", "up-dask"):
            parts |= figure.parts
    bars = []
    for key, title in BARS.items():
        prefix = f"{key}: "
        own = [
            (part.removeprefix(prefix), sample.median)
            for part, sample in parts.items()
            if part.startswith(prefix)
        ]
        if own:
            bars.append((title, own))
    longest = max((sum(seconds for _, seconds in own) for _, own in bars), default=1)
    scale = (WIDTH - LEFT - 60) / longest
    height = TOP + len(bars) * (BAR + GAP) + 24
    bottom = height - 24
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>From no container to the hello of 8 engines in 4 containers, in seconds</title>",
        f"<style>{STYLE}</style>",
        '<text class="title" x="8" y="20">From no container to the hello of 8 engines</text>',
        f'<text class="small" x="{WIDTH - 8}" y="20" text-anchor="end">seconds, medians</text>',
    ]
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100) if longest / step <= 10)
    for second in range(0, int(longest) + 1, step):
        x = LEFT + second * scale
        out.append(f'<path class="grid" d="M{x:.1f} {TOP - 10}V{bottom}"/>')
        out.append(
            f'<text class="small" x="{x:.1f}" y="{height - 8}" text-anchor="middle">{second}</text>'
        )
    for row, (title, own) in enumerate(bars):
        y = TOP + row * (BAR + GAP)
        out.append(f'<text x="8" y="{y + 17}">{escape(title)}</text>')
        x = float(LEFT)
        for index, (phase, seconds) in enumerate(own):
            width = seconds * scale
            out.append(
                f'<rect class="p{index}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}">'
                f"<title>{escape(phase)}: {seconds:.2f} s</title></rect>"
            )
            if width > 7 * len(phase):
                out.append(
                    f'<text class="in" x="{x + width / 2:.1f}" y="{y + 17}" '
                    f'text-anchor="middle">{escape(phase)}</text>'
                )
            x += width
        total = sum(seconds for _, seconds in own)
        out.append(f'<text x="{x + 6:.1f}" y="{y + 17}">{total:.1f}</text>')
    out.append("</svg>")
    return "\n".join(out)
