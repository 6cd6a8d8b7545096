"""Each part of a computation on the group of workers that has what it needs.

The workers of the group `algebra` have SymPy and find a formula; those of the group `numbers` have
the plain image and evaluate it.
"""

import argparse
import platform
import re

import ipyparallel as ipp


def group(client, name):
    """A view of the engines of a group: of the workers called name, or name-1, name-2 and so on."""
    hosts = client[:].apply_sync(platform.node)
    ids = zip(client.ids, hosts, strict=True)
    return client[[id for id, host in ids if re.fullmatch(rf"{name}(-\d+)?", host)]]


def antiderivative(formula):
    import sympy

    return str(sympy.integrate(sympy.sympify(formula), sympy.Symbol("x")))


def between(formula, low, high):
    import numpy as np

    def value(x):
        return eval(formula, {"x": x, "sin": np.sin, "cos": np.cos, "exp": np.exp})

    return float(value(high) - value(low))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="mixed")
    args = parser.parse_args()

    client = ipp.Client(profile=args.profile)
    formula = group(client, "algebra").apply_sync(antiderivative, "x*cos(x)")[0]
    areas = group(client, "numbers").map_sync(between, [formula] * 4, [0, 1, 2, 3], [1, 2, 3, 4])
    print(f"antiderivative of x*cos(x): {formula}")
    print(f"areas: {[round(area, 4) for area in areas]}")


if __name__ == "__main__":
    main()
