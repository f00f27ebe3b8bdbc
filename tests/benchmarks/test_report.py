# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The report on the papers' claims: its rule, and that it follows from the results."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"
REPORT = ROOT / "docs" / "report"


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("report")
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def values(script):
    return script.read_values(FOLDER / "results")


def values_of(**methods):
    """Scores of methods on one data set, a seed each."""
    return pd.DataFrame(
        [
            {"dataset": "dense/trec", "seed": seed, "method": method, "value": value}
            for method, scores in methods.items()
            for seed, value in enumerate(scores)
        ]
    ).assign(quantity="accuracy")


def verdict_on(script, line, **methods):
    claim = {"quantity": "accuracy", "data": ["dense/"], "margin": 1.0}
    claim["orders"] = script.split(line)
    found = script.judge(values_of(**methods), claim)
    return script.whole([of_order["verdict"] for of_order in found])


def test_an_order_holds_if_all_pairs_say_so(script):
    a, b = [3, 3, 3], [1, 2, 2.9]
    assert verdict_on(script, "A > B", A=a, B=b) == "holds"
    assert verdict_on(script, "A < B", A=a, B=b) == "does not hold"
    assert verdict_on(script, "A > B", A=a, B=[1, 2, 4]) == "open"
    assert verdict_on(script, "A > B", A=a, B=a) == "open"


def test_two_pairs_say_nothing(script):
    assert verdict_on(script, "A > B", A=[3, 3], B=[1, 1]) == "open"


def test_many_pairs_may_disagree_if_the_mean_is_significant(script):
    b = np.zeros(9)
    a = [1, 1, 1, 1, 1, 1, 1, 1, -0.01]  # p = 4 / 2**9, twice that for two orders
    assert verdict_on(script, "A > B", A=a, B=b) == "holds"
    assert verdict_on(script, "A > B | C", A=a, B=b, C=b) == "holds"
    names = [f"B{n}" for n in range(7)]  # 7 * 4 / 2**9 > 0.05
    line = "A > " + " | ".join(names)
    assert verdict_on(script, line, A=a, **dict.fromkeys(names, b)) == "open"
    assert verdict_on(script, "A > B", A=a[4:], B=b[4:]) == "open"  # five pairs


def test_a_claim_is_all_of_its_orders(script):
    a, low, high = [3, 3, 3], [1, 1, 1], [4, 4, 4]
    assert verdict_on(script, "A > B | C", A=a, B=low, C=low) == "holds"
    assert verdict_on(script, "A > B | C", A=a, B=low, C=high) == "does not hold"
    assert verdict_on(script, "A > B | C", A=a, B=low) == "open"  # C was not run
    assert verdict_on(script, "A > C", A=a, B=low) == "not run"


def test_alike_is_within_the_margin(script):
    a = [3, 3, 3]
    assert verdict_on(script, "A ~ B", A=a, B=[2, 3, 4]) == "holds"
    assert verdict_on(script, "A ~ B", A=a, B=[2, 3, 4.5]) == "open"
    assert verdict_on(script, "A ~ B", A=a, B=[5, 0, 4.5]) == "does not hold"


def test_a_number_is_a_bound(script):
    assert verdict_on(script, "A > 2.5", A=[3, 3, 3]) == "holds"
    assert verdict_on(script, "A < 2.5", A=[3, 3, 3]) == "does not hold"


def test_every_claim_that_is_run_finds_its_values(script, values):
    quantities = set(values["quantity"])
    for paper, claims in script.read_claims().items():
        assert paper in script.PAPERS
        for claim in claims:
            assert claim["text"]
            assert claim["where"]
            if claim["orders"]:
                assert claim["quantity"] in quantities, claim["text"]
                sources = {name.split("/")[0] for name in claim["data"]}
                assert sources <= set(script.EXPERIMENTS), claim["text"]
            else:
                assert "Not run here" in claim["note"]


def test_the_tables_of_the_documentation_are_those_of_the_results(script, values):
    made = script.tables(values)
    assert {f"{name}.csv" for name in made} == {p.name for p in REPORT.glob("*.csv")}
    for name, table in made.items():
        kept = pd.read_csv(REPORT / f"{name}.csv", keep_default_na=False)
        message = f"{name}: run python benchmarks/report.py --out docs/report"
        assert kept["verdict" if "verdict" in kept else "paper"].tolist() == (
            table["verdict" if "verdict" in table else "paper"].tolist()
        ), message
        if "found in" in table:
            assert kept["order"].tolist() == table["order"].tolist(), message
            assert kept["found in"].tolist() == table["found in"].tolist(), message


def test_the_errors_of_batches_agree_with_those_of_their_pool():
    claims = pd.read_csv(FOLDER / "results" / "claims" / "claims.csv")
    errors = claims[claims["part"] == "errors"]
    keys = ["dataset", "seed", "n_labeled"]
    table = errors.pivot_table(
        values="value", index=[*keys, "method"], columns="quantity"
    )
    pool = table.xs("model", level="method")["pool error"]
    batches = table.drop(index="model", level="method")
    assert (errors.groupby("dataset")["seed"].nunique() >= 3).all()
    expected = batches["batch error"].div(pool)
    assert np.allclose(batches["lift"], expected, atol=1e-4)
    of_random = batches.xs("RandomSampling", level="method")["lift"]
    assert of_random.mean() == pytest.approx(1, abs=0.2)
