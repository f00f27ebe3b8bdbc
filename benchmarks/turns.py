# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Measure contenders in turns, and put down what came of it."""

import gc
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def stopwatch(clock, function, *args):
    """The seconds a call took by a clock of `CLOCKS`, and what it returned."""
    start = CLOCKS[clock]()
    result = function(*args)
    return CLOCKS[clock]() - start, result


def in_turns(contenders, repeats):
    """Call every contender once a repeat.

    Parameters
    ----------
    contenders : dict of str to callable
        Each returns (seconds, result).
    repeats : int
        The order is drawn anew for each.

    Returns
    -------
    seconds : dict of str to list of float
    results : dict of str to object
        What each returned the first time.
    """
    names = list(contenders)
    seconds, results = {name: [] for name in names}, {}
    for repeat in range(repeats):
        for name in np.random.default_rng(repeat).permutation(names).tolist():
            gc.collect()
            taken, result = contenders[name]()
            seconds[name].append(taken)
            results.setdefault(name, result)
    return seconds, results


class Report:
    """Prints figures case by case and writes them to files.

    Parameters
    ----------
    packages : list of str
        Whose versions to note.
    **settings
        What else to note.
    """

    def __init__(self, packages, **settings):
        self.about = {
            "started": time.strftime("%Y-%m-%d %H:%M:%S"),
            "load at start": os.getloadavg(),
            "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
            "versions": {"python": platform.python_version()}
            | {name: version(name) for name in packages},
            **settings,
        }
        self.checks, self.rows, self.summary = {}, [], []
        print(json.dumps(self.about, indent=1, default=str), flush=True)

    def add(self, part, case, seconds, *, against, targets):
        """Compare contenders with the one called `against`.

        Parameters
        ----------
        part, case : str
        seconds : dict of str to list of float
            By contender, repeat by repeat.
        against : str
        targets : dict of str to float
            What the median seconds of a contender, divided by those of `against`, are
            to be at least.
        """
        print(f"\n{part}: {case}")
        print(f"{'':26}{'seconds':>10}{'ratio':>9}{'lowest':>9}{'highest':>9}  target")
        ours = np.array(seconds[against])
        for contender, taken in seconds.items():
            taken = np.array(taken)
            ratios = taken / ours
            row = {
                "part": part,
                "case": case,
                "contender": contender,
                "against": against,
                "seconds": float(np.median(taken)),
                "ratio": float(np.median(taken) / np.median(ours)),
                "lowest": float(ratios.min()),
                "highest": float(ratios.max()),
                "target": targets.get(contender),
            }
            self.summary.append(row)
            self.rows += [
                {"part": part, "case": case, "contender": contender}
                | {"repeat": repeat, "seconds": value}
                for repeat, value in enumerate(taken)
            ]
            print(_line(row), flush=True)

    def check(self, what, value, limit):
        """Note a difference, and insist that it is within its limit."""
        self.checks[what] = float(value)
        print(f"\n{what} differ by {value:.1e}, at most {limit:.0e} is allowed")
        if not value <= limit:
            raise SystemExit(f"This compares what is not the same: {what}.")

    def save(self, folder, name):
        """Write ``name.csv``, each repeat in a row, and ``name.json``, the summary."""
        self.about["load at end"] = os.getloadavg()
        self.about["finished"] = time.strftime("%Y-%m-%d %H:%M:%S")
        print(f"\nload average at the end: {self.about['load at end']}")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(self.rows).to_csv(folder / f"{name}.csv", index=False)
        content = {**self.about, "differences": self.checks, "summary": self.summary}
        (folder / f"{name}.json").write_text(json.dumps(content, indent=1, default=str))


def _line(row):
    line = f"{row['contender']:26}{row['seconds']:10.4f}{row['ratio']:9.3f}"
    line += f"{row['lowest']:9.3f}{row['highest']:9.3f}"
    if row["target"] is None:
        return line
    verdict = "met" if row["ratio"] >= row["target"] else "MISSED"
    return f"{line}  {row['target']:.3g} {verdict}"
