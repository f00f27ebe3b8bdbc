# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The benchmark of the index, on a few rows."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skal.utils._faiss_kinds import FAISS_KINDS

FOLDER = Path(__file__).parents[2] / "benchmarks"
KINDS = ["exact", "hnsw", "ivf", "ivf_pq"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("index")
    sys.path.remove(str(FOLDER))


@pytest.fixture
def case(script, tmp_path):
    return script.Case(6000, 6, 24, "float16", 1, "cpu", tmp_path)


def test_a_small_pool_is_the_beginning_of_a_large_one(script, case, monkeypatch):
    monkeypatch.setattr(script, "_SLICE", 500)
    small = script.Case(700, 6, 24, "float16", 1, "cpu", case.work)
    for pool in (small, case):
        script.write_vectors(pool)
    assert case.vectors.shape == (6000, 24)
    assert np.array_equal(small.vectors, case.vectors[:700])
    assert len(np.unique(case.vectors, axis=0)) == 6000
    assert not any(case.work.glob("*.part"))


def test_the_dimension_of_a_plane_is_two(script):
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 0.5, size=(4000, 2))
    points = np.column_stack([np.cos(angles[:, 0]), np.sin(angles), np.ones(4000)])
    points /= np.linalg.norm(points, axis=1)[:, None]
    similarity = -np.sort(-(points[:300] @ points.T), axis=1)[:, 1:21]
    assert script.intrinsic_dimension(similarity) == pytest.approx(2, abs=0.2)


@pytest.mark.slow
def test_all_is_measured_once(script, case, monkeypatch):
    calls = []

    def here(function, *args):
        calls.append(function.__name__)
        return function(*args)

    monkeypatch.setattr(script, "alone", here)
    before = dict(FAISS_KINDS)
    for _ in range(2):
        script.run(case, KINDS, case.work)
    assert calls.count("measure") == 4
    assert calls.count("frontier") == 3
    assert before == FAISS_KINDS
    kinds = pd.read_csv(case.work / "kinds.csv").set_index("kind")
    assert list(kinds.index) == KINDS
    assert kinds.loc["exact", "recall"] == 1
    assert (kinds["recall"] > 0.95).all()
    assert (kinds.notna().all()).all()
    frontier = pd.read_csv(case.work / "frontier.csv").groupby("kind", sort=False)
    assert frontier.size().to_dict() == {"hnsw": 5, "ivf": 6, "ivf_pq": 3 * 6}
    for kind in ("hnsw", "ivf"):
        assert frontier.get_group(kind)["recall"].is_monotonic_increasing
