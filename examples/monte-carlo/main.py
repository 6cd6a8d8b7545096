"""Prices an Asian option by Monte Carlo on all engines, and plots how the error shrinks.

The payoff is the average price of a year's 50 weeks above the strike. Averaged geometrically, such
an option has a price in closed form, which tells whether the simulation is right.
"""

import argparse
import math
from pathlib import Path
from statistics import NormalDist

import ipyparallel as ipp
import matplotlib.pyplot as plt
import numpy as np

START, STRIKE, RATE, VOLATILITY, WEEKS = 100.0, 100.0, 0.05, 0.2, 50


def simulate(seed, paths, start, strike, rate, volatility, weeks):
    """Discounted payoffs of `paths` simulated years: with arithmetic and with geometric mean."""
    import numpy as np

    step = 1 / weeks
    shocks = np.random.default_rng(seed).standard_normal((paths, weeks))
    growth = (rate - volatility**2 / 2) * step + volatility * np.sqrt(step) * shocks
    logarithms = np.log(start) + np.cumsum(growth, axis=1)
    means = np.exp(logarithms).mean(axis=1), np.exp(logarithms.mean(axis=1))
    return [np.exp(-rate) * np.maximum(mean - strike, 0) for mean in means]


def closed_form():
    """The price with the geometric mean (Kemna and Vorst, 1990)."""
    n = WEEKS
    drift = (RATE - VOLATILITY**2 / 2) * (n + 1) / (2 * n)
    deviation = VOLATILITY * math.sqrt((n + 1) * (2 * n + 1) / (6 * n * n))
    forward = START * math.exp(drift + deviation**2 / 2)
    d = (math.log(forward / STRIKE) + deviation**2 / 2) / deviation
    normal = NormalDist()
    return math.exp(-RATE) * (forward * normal.cdf(d) - STRIKE * normal.cdf(d - deviation))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="ssh")
    parser.add_argument("--batches", type=int, default=64, help="tasks of 20,000 paths each (64)")
    parser.add_argument("--plot", type=Path, default=Path("monte-carlo.png"))
    args = parser.parse_args()

    client = ipp.Client(profile=args.profile)
    view = client.load_balanced_view()
    model = (START, STRIKE, RATE, VOLATILITY, WEEKS)
    tasks = [view.apply_async(simulate, seed, 20_000, *model) for seed in range(args.batches)]
    arithmetic, geometric = map(np.concatenate, zip(*(task.get() for task in tasks), strict=True))

    exact = closed_form()
    for name, payoffs in (("arithmetic", arithmetic), ("geometric", geometric)):
        error = payoffs.std() / math.sqrt(len(payoffs))
        print(f"{name} mean: {payoffs.mean():.4f} ± {1.96 * error:.4f}")
    print(f"geometric mean, exactly: {exact:.4f}")
    print(f"{len(arithmetic)} paths in {len(tasks)} tasks on {len(client)} engines")
    draw(geometric, exact, args.plot)


def draw(payoffs, exact, file):
    """The estimate with its 95 % interval over the number of paths, against the exact price."""
    counts = np.unique(np.geomspace(100, len(payoffs), 200).astype(int))
    sums, squares = np.cumsum(payoffs)[counts - 1], np.cumsum(payoffs**2)[counts - 1]
    means = sums / counts
    errors = 1.96 * np.sqrt((squares / counts - means**2) / counts)
    _, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    axes.fill_between(counts, means - errors, means + errors, alpha=0.25, label="95 % interval")
    axes.plot(counts, means, label="estimate")
    axes.axhline(exact, color="black", linestyle="--", linewidth=1, label="exact")
    axes.set(xscale="log", xlabel="simulated paths", ylabel="price", title="Geometric Asian call")
    axes.legend()
    plt.savefig(file, dpi=120)
    print(f"plot: {file}")


if __name__ == "__main__":
    main()
