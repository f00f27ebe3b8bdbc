# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the pictures have in common: colours, axes, curves with their intervals."""

import importlib.util
import itertools
from numbers import Real

import numpy as np
from scipy.stats import t as student

from skal.utils._sklearn import Interval, StrOptions

# Okabe and Ito's palette, told apart by every kind of colour vision; line styles and
# markers go round at other speeds, so that no two of many methods look alike.
COLORS = "#0072B2 #D55E00 #009E73 #CC79A7 #E69F00 #56B4E9 #000000 #999999".split()
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = tuple("osD^vP*Xd<>")
GREY = "#999999"

INTERVAL = {
    "interval": [StrOptions({"confidence", "std", "range"}), None],
    "confidence_level": [Interval(Real, 0, 1, closed="neither")],
}


def styles(names):
    """A colour, a line style and a marker for each name, in order."""
    return {
        name: {"color": color, "linestyle": line, "marker": marker}
        for name, color, line, marker in zip(
            names,
            itertools.cycle(COLORS),
            itertools.cycle(LINES),
            itertools.cycle(MARKERS),
            strict=False,
        )
    }


def axes_for(caller, ax, figsize=(7.2, 4.2)):
    """The axes given, or those of a new figure."""
    check_installed("matplotlib", caller)
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=figsize, layout="constrained")
    return ax


def check_installed(package, caller):
    """Refuse, before any work, to do without a package that is optional."""
    if importlib.util.find_spec(package) is None:
        raise ImportError(
            f"{caller} needs {package}, which is not installed. Run: "
            'pip install "skal[inspection]"'
        )


def check_curves(curves, name, like=None):
    """{method: array (n_seeds, n_points)}, of the shapes of those in `like`."""
    if not isinstance(curves, dict) or not curves:
        raise ValueError(
            f"{name} must be a dict of curves by name, at least one. Got "
            f"{type(curves).__name__}."
        )
    curves = {key: np.asarray(values, float) for key, values in curves.items()}
    for key, values in curves.items():
        if values.ndim != 2 or not values.size:
            raise ValueError(
                f"{name} must hold one row per seed and one column per round for each "
                f"name. Got shape {values.shape} for {key!r}; pad shorter runs with "
                "nan, in n_labeled too."
            )
    if like is not None:
        _check_alike(curves, name, *like)
    return curves


def _check_alike(curves, name, others, other_name):
    if list(curves) != list(others):
        raise ValueError(
            f"{name} and {other_name} must have the same names. Got {list(curves)} "
            f"and {list(others)}."
        )
    for key, values in curves.items():
        if values.shape != others[key].shape:
            raise ValueError(
                f"{name} and {other_name} must have as many seeds and rounds. Got "
                f"shapes {values.shape} and {others[key].shape} for {key!r}."
            )


def draw_curves(ax, x, y, *, interval, confidence_level):
    """Draw the mean of each method's curves over its seeds, and a band around it.

    A method is drawn as far as all its runs go: where x is not nan.

    Returns
    -------
    lines, bands : lists
        Of `Line2D` and of `PolyCollection`; no band of a single run.
    """
    lines, bands = [], []
    for name, style in styles(y).items():
        known = np.isfinite(x[name]).all(axis=0)
        xs, values = x[name][:, known].mean(axis=0), y[name][:, known]
        (line,) = ax.plot(xs, values.mean(axis=0), label=name, markersize=4, **style)
        lines.append(line)
        if interval is not None and len(values) > 1:
            low, high = _band(values, interval, confidence_level)
            color, line = style["color"], style["linestyle"]
            band = ax.fill_between(
                xs,
                low,
                high,
                facecolor=(color, 0.12),
                edgecolor=(color, 0.5),
                linestyle=line,
                linewidth=0.8,
            )
            bands.append(band)
    ax.grid(alpha=0.3)
    return lines, bands


def _band(values, interval, confidence_level):
    if interval == "range":
        return values.min(axis=0), values.max(axis=0)
    half = values.std(axis=0, ddof=1)
    if interval == "confidence":
        n_runs = len(values)
        quantile = student.ppf((1 + confidence_level) / 2, n_runs - 1)
        half = half * quantile / np.sqrt(n_runs)
    return values.mean(axis=0) - half, values.mean(axis=0) + half


def note_of(curves, bands, interval, confidence_level):
    """What the lines and bands are, for the title of the legend; None of one run."""
    counts = sorted({len(values) for values in curves.values()})
    if counts == [1]:
        return None
    n_seeds = " to ".join(map(str, dict.fromkeys([counts[0], counts[-1]])))
    band = {
        "confidence": f"{100 * confidence_level:g} % confidence",
        "std": "± standard deviation",
        "range": "lowest to highest",
    }
    return f"mean of {n_seeds} seeds" + (f"\nband: {band[interval]}" if bands else "")


def add_legend_beside(ax, handles, title=None):
    """A legend that hides nothing."""
    return ax.legend(
        handles=handles,
        title=title,
        loc="upper left",
        bbox_to_anchor=(1.01, 1),
        borderaxespad=0,
    )
