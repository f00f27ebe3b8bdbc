# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The report on the five papers' claims, from the committed results alone.

    python benchmarks/report.py --out docs/report

reads ``benchmarks/results`` and the claims in ``report_claims.toml``, and writes per
paper ``<paper>_checklist.csv``, its claims with a verdict each, and
``<paper>_orders.csv``, the numbers behind them; ``summary.csv`` counts the verdicts;
the pictures are those of ``report_pictures.py``. Nothing is trained: it takes seconds.

The rule. A pair is a data set and a seed. It speaks for an order A > B, against it or,
where both are equal, for neither. An order

* holds if all pairs speak for it, or if the mean difference does and the p of a paired
  permutation test over six pairs or more, times the orders of the claim, is at most
  0.05;
* does not hold if the same is true of the reverse;
* is open otherwise, and where there are less than three pairs.

A ~ B holds if all pairs differ by the claim's margin at most, does not hold if all
differ by more, and is open otherwise. What has no pair was not run. A claim holds if
all its orders do, does not hold if one of them does not, was not run if none was, and
is open otherwise.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from report_values import read_values

from skal.metrics import almost_stochastic_order, paired_permutation_test

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

HERE = Path(__file__).parent
PAPERS = {
    "real": "REAL",
    "cartography": "Cartography AL",
    "anchoral": "AnchorAL",
    "survey": "The survey",
    "alps": "ALPS",
}
VERDICTS = ["holds", "does not hold", "open", "not run"]
HOLDS, FAILS, OPEN, NOT_RUN = VERDICTS
LEVEL, ENOUGH, FEWEST = 0.05, 6, 3
EXPERIMENTS = {
    "dense": "vectors",
    "text": "texts",
    "bus": "",
    "calibration": "providers",
    "errors": "batches from one model",
    "maps": "its protocol",
    "cold": "first batches",
    "batches": "batches of the runs with texts",
}
DATA = {
    "trec": "TREC",
    "snips": "SNIPS",
    "agnews": "AG News",
    "imdb": "IMDB",
    "pubmed_subset": "PubMed",
    "agnews-bus": "Agnews-Bus",
}


def read_claims(path=HERE / "report_claims.toml"):
    """{paper: list of claims}, the orders of each as (first, sign, second)."""
    papers = tomllib.loads(path.read_text(encoding="utf-8"))
    for claim in (claim for claims in papers.values() for claim in claims):
        claim["orders"] = [
            order for line in claim.get("orders", []) for order in split(line)
        ]
    return papers


def split(line):
    """The orders in "A > B | C"."""
    sign = next(sign for sign in "><~" if f" {sign} " in line)
    first, others = line.split(f" {sign} ")
    return [(first, sign, other) for other in others.split(" | ")]


def pairs_of(values, claim, order):
    """Values of the first and of the second, rows paired by data set and seed."""
    first, _, second = order
    chosen = values[
        (values["quantity"] == claim["quantity"])
        & values["dataset"].str.startswith(tuple(claim["data"]))
    ]
    table = chosen.set_index(["dataset", "seed", "method"])["value"].unstack("method")
    if second not in table and is_number(second):
        table[second] = float(second)
    return table.reindex(columns=[first, second]).dropna()


def is_number(text):
    return text.replace(".", "", 1).isdigit()


def judge(values, claim):
    """What is found of each order of a claim, and its verdict."""
    found = [compare(values, claim, order) for order in claim["orders"]]
    for line in found:
        line["verdict"] = verdict(line, len(found), claim.get("margin"))
    return found


def compare(values, claim, order):
    """The numbers that a verdict on one order needs."""
    first, sign, second = order
    pairs = pairs_of(values, claim, order)
    a, b = pairs[first].to_numpy(), pairs[second].to_numpy()
    line = {"order": " ".join(order), "sign": sign, "pairs": pairs.index, "n": len(a)}
    if not len(a):
        return line
    ahead = a - b if sign != "<" else b - a
    line |= {"first": a.mean(), "second": b.mean(), "ahead": ahead}
    if len(a) > 1:
        line["p"] = paired_permutation_test(ahead, np.zeros(len(a))).pvalue
    if len(a) >= ENOUGH and sign != "~" and not is_number(second):
        line["epsilon"] = stochastic_order(pairs, first, second, sign)
    return line


def stochastic_order(pairs, first, second, sign):
    """Epsilon of "the order holds", of scores without what a data set adds to both."""
    level = pairs.mean(axis=1).groupby(level="dataset").transform("mean")
    scores = pairs.sub(level, axis=0)
    sides = [scores[first], scores[second]]
    if sign == "<":
        sides = [-side for side in sides]
    return almost_stochastic_order(*sides, random_state=0).epsilon


def verdict(line, n_orders, margin):
    """The rule for one order."""
    if line["n"] < FEWEST:
        return OPEN if line["n"] else NOT_RUN
    ahead = line["ahead"]
    if line["sign"] == "~":
        near = np.abs(ahead) <= margin
        return HOLDS if near.all() else OPEN if near.any() else FAILS
    shown = line["n"] >= ENOUGH and line["p"] * n_orders <= LEVEL
    if (ahead > 0).all() or (shown and ahead.mean() > 0):
        return HOLDS
    if (ahead < 0).all() or (shown and ahead.mean() < 0):
        return FAILS
    return OPEN


def whole(verdicts):
    """The verdict on a claim from those on its orders."""
    if set(verdicts) <= {NOT_RUN}:
        return NOT_RUN
    if FAILS in verdicts:
        return FAILS
    return HOLDS if set(verdicts) == {HOLDS} else OPEN


def what_was_run(found):
    """The data sets, seeds and pairs of a claim, in words."""
    pairs = sorted({pair for line in found for pair in line["pairs"]})
    parts = []
    for source, name in EXPERIMENTS.items():
        of = [pair for pair in pairs if pair[0].split("/")[0] == source]
        data = list(dict.fromkeys(DATA[pair[0].split("/")[1]] for pair in of))
        if of:
            n_seeds = len({seed for _, seed in of})
            title = f" ({name})" if name else ""
            parts.append(f"{', '.join(data)}{title}, {n_seeds} seeds")
    return "; ".join(parts)


def checklist(judged):
    """One row per claim."""
    rows = []
    for number, (claim, found) in enumerate(judged, 1):
        counts = pd.Series([line["verdict"] for line in found]).value_counts()
        of_orders = ", ".join(f"{name}: {n}" for name, n in counts.items())
        text = "\n\n".join([claim["text"], *filter(None, [claim.get("note")])])
        rows.append(
            {
                "": number,
                "claim": text,
                "in the paper": claim["where"],
                "run here": what_was_run(found) if found else "",
                "orders": of_orders if len(found) > 1 else "",
                "verdict": f"**{whole(counts.index)}**",
            }
        )
    return pd.DataFrame(rows)


def numbers(judged):
    """One row per order that was run."""
    rows = [
        {
            "claim": number,
            "quantity": claim["quantity"],
            "order": line["order"],
            "means here": f"{short(line['first'])}, {short(line['second'])}",
            "found in": found_in(line, claim),
            "ahead by": short(line["ahead"].mean()),
            "p": f"{line['p']:.2g}" if "p" in line else "",
            "ε": f"{line['epsilon']:.2f}" if "epsilon" in line else "",
            "verdict": line["verdict"],
        }
        for number, (claim, found) in enumerate(judged, 1)
        for line in found
        if line["n"]
    ]
    return pd.DataFrame(rows)


def short(number):
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def found_in(line, claim):
    alike = np.abs(line["ahead"]) <= claim.get("margin", 0)
    is_found = alike if line["sign"] == "~" else line["ahead"] > 0
    return f"{is_found.sum()} of {line['n']}"


def summary(lists):
    """How many claims of each paper have which verdict."""
    counts = {
        PAPERS[paper]: table["verdict"].str.strip("*").value_counts()
        for paper, table in lists.items()
    }
    table = (
        pd.DataFrame(counts, columns=PAPERS.values())
        .reindex(VERDICTS)
        .fillna(0)
        .astype(int)
        .T
    )
    return table.rename_axis("paper").assign(claims=table.sum(axis=1))


def tables(values):
    """{file name: table}."""
    judged = {
        paper: [(claim, judge(values, claim)) for claim in claims]
        for paper, claims in read_claims().items()
    }
    lists = {paper: checklist(of_paper) for paper, of_paper in judged.items()}
    made = {f"{paper}_checklist": table for paper, table in lists.items()}
    made |= {f"{paper}_orders": numbers(of_paper) for paper, of_paper in judged.items()}
    counts = summary(lists)
    counts["orders compared"] = [len(made[f"{paper}_orders"]) for paper in PAPERS]
    return made | {"summary": counts.reset_index()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", default=HERE / "results")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    from report_pictures import draw_all

    out, values = Path(args.out), read_values(args.results)
    out.mkdir(parents=True, exist_ok=True)
    for name, table in tables(values).items():
        table.to_csv(out / f"{name}.csv", index=False)
    draw_all(values, Path(args.results), out)
    print(pd.read_csv(out / "summary.csv").to_string(index=False))


if __name__ == "__main__":
    main()
