# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Read the committed results as values: one per data set, seed, method and quantity.

The data set is named after the experiment it comes from: "dense/trec". All that the
report says is computed from these values.
"""

from pathlib import Path

import pandas as pd
from agnews_bus import by_run

from skal.metrics import learning_curve_auc

KEYS = ["dataset", "seed", "method"]
WAITS = ["encode_time", "look_time", "filter_time", "select_time"]


def read_values(results):
    """All values, one per row. An experiment that is not there has none."""
    results = Path(results)
    readers = {
        "strategies/dense.csv": of_curves,
        "strategies/text.csv": of_curves,
        "agnews_bus/table.csv": of_agnews_bus,
        "calibration/calibration_runs.csv": of_calibration,
        "claims/claims.csv": of_claims,
    }
    parts = [
        reader(pd.read_csv(results / path), Path(path).stem)
        for path, reader in readers.items()
        if (results / path).is_file()
    ]
    return pd.concat(parts, ignore_index=True).dropna(subset="value")


def long(values, source):
    """A column per quantity made into rows; the data set named after its source."""
    rows = values.reset_index().melt(KEYS, var_name="quantity")
    return rows.assign(dataset=source + "/" + rows["dataset"])


def of_curves(frame, source):
    """Mean heights of learning curves in percent, their ends, and query seconds."""
    frame = frame.rename(columns={"learner": "method"}).sort_values("round")
    runs = frame.groupby(KEYS)
    waits = frame.assign(wait=frame[WAITS].sum(axis=1))[frame["round"] > 0]
    values = {
        "accuracy": 100 * runs["test_accuracy"].agg(height),
        "macro F1": 100 * runs["test_f1_macro"].agg(height),
        "accuracy at the end": 100 * runs["test_accuracy"].last(),
        "seconds of a query": waits.groupby(KEYS)["wait"].mean(),
    }
    ends = [
        spread(frame[frame["round"] == n], name)
        for name, n in {"first round": 1, "last round": frame["round"].max()}.items()
    ]
    return pd.concat(
        [long(pd.DataFrame(values), source), long(pd.concat(ends), source)]
    )


def height(curve):
    return learning_curve_auc(curve) / (len(curve) - 1)


def spread(frame, name):
    """How far the methods are apart in one round, in points of accuracy."""
    scores = frame.groupby(["dataset", "seed"])["test_accuracy"]
    apart = 100 * (scores.max() - scores.min()).rename("spread of the methods")
    return apart.to_frame().assign(method=name).set_index("method", append=True)


def of_agnews_bus(frame, _):
    """What `agnews_bus.by_run` says of a run, and how subpools and waits grew."""
    runs = by_run(frame)
    runs["growth of the subpool"] = runs["last subpool"] / runs["first subpool"]
    waits = frame.set_index(["learner", "seed"])["query_cpu_time"]
    last, second = (
        waits[(frame["round"] == n).to_numpy()] for n in (frame["round"].max(), 2)
    )
    runs["growth of a query's time"] = last / second
    runs = runs.rename_axis(["method", "seed"]).astype(float)
    return long(runs.assign(dataset="agnews-bus"), "bus")


def of_calibration(runs, _):
    """Of the providers of samples, on TREC's test set."""
    runs = runs.rename(columns={"provider": "method", "accuracy": "test accuracy"})
    return long(runs.assign(dataset="trec").set_index(KEYS), "calibration")


def of_claims(frame, _):
    """What `claims.py` measured: means over the rounds, first and last ones."""
    frame = frame.assign(dataset=frame["part"] + "/" + frame["dataset"])
    keys = [*KEYS, "quantity"]
    ordered = frame.sort_values("n_labeled").groupby(keys)["value"]
    means, first, last = ordered.mean(), ordered.first(), ordered.last()
    in_percent = means.index.get_level_values("quantity") == "accuracy"
    means[in_percent] *= 100
    parts = [means, *at_ends(first, last), whole_pool(frame), near_boundary(means)]
    return pd.concat([part.rename("value").reset_index() for part in parts])


def at_ends(first, last):
    """Last values and drops; of diversity, the two rounds side by side."""
    ends = []
    for quantity in ("diversity", "uncertainty"):
        a, b = (end.xs(quantity, level="quantity") for end in (first, last))
        ends.append(named(b, f"{quantity} at the end"))
        ends.append(named(a - b, f"drop in {quantity}"))
        for name, end in {"first round": a, "last round": b}.items():
            of_alps = end[end.index.get_level_values("method") == "ALPS"]
            of_alps = of_alps.rename(index={"ALPS": name}, level="method")
            ends.append(named(of_alps, f"{quantity} of ALPS"))
    return ends


def whole_pool(frame):
    """The last accuracy of a run beside that of training with the whole pool."""
    runs = frame[(frame["part"] == "maps") & (frame["quantity"] == "accuracy")]
    last = runs.sort_values("n_labeled").groupby(KEYS)["value"].last()
    whole = last.xs("whole pool", level="method")
    return named(last / whole, "part of the whole pool's accuracy")


def near_boundary(means):
    """Errors and all rows as two methods of one quantity."""
    parts = []
    for method in ("errors", "rows"):
        part = means.xs(f"{method} near the boundary", level="quantity")
        part = part.rename(index={"model": method}, level="method")
        parts.append(named(part, "share near the boundary"))
    return pd.concat(parts)


def named(values, quantity):
    return pd.concat({quantity: values}, names=["quantity"]).reorder_levels(
        [*KEYS, "quantity"]
    )
