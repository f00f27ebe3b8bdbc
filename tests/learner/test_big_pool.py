# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A million texts in Parquet files: queried in less memory than they would take."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from pyarrow.parquet import ParquetWriter

_N_FILES, _PER_FILE = 10, 100_000

# In a process of its own, whose peak of memory is that of the query.
_SCRIPT = """
import json, resource, sys, time
import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.random_projection import SparseRandomProjection
from skal import ActiveLearner
from skal.datasets import ParquetColumn
from skal.filters import AnchorAL

def megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

X = ParquetColumn(sys.argv[1])
seed = X[:200]
encoder = make_pipeline(
    HashingVectorizer(n_features=2**12, dtype=np.float32),
    SparseRandomProjection(16, random_state=0, dense_output=True),
).fit(seed)
learner = ActiveLearner(
    make_pipeline(TfidfVectorizer(), LogisticRegression()),
    AnchorAL(encoder=FrozenEstimator(encoder)),
    n_queries=25,
    random_state=0,
).fit(seed, np.arange(200) % 2, ids=np.arange(200))
learner.query(X[:5000], ids=np.arange(5000))  # what is imported late
before, seconds, grown, ids = megabytes(), [], [], np.arange(len(X))
for _ in range(3):
    start = time.perf_counter()
    rows = learner.query(X, ids=ids)
    seconds.append(time.perf_counter() - start)
    grown.append(megabytes() - before)
    learner.teach(X[rows], rows % 2, ids=rows)
print(json.dumps({"grown": grown, "seconds": seconds, "rows": rows.tolist()}))
"""


@pytest.fixture(scope="module")
def million(tmp_path_factory):
    """A folder with a million texts of 500 signs, a hundred thousand a row group."""
    folder = tmp_path_factory.mktemp("million")
    rng = np.random.RandomState(0)
    words = ["".join(rng.choice(list("abcdefgh"), 5)) for _ in range(2000)]
    parts = [" ".join(rng.choice(words, 40)) for _ in range(5000)]
    schema = pa.schema({"text": pa.string()})
    for number in range(_N_FILES):
        with ParquetWriter(folder / f"{number:02}.parquet", schema) as file:
            pairs = rng.randint(len(parts), size=(_PER_FILE, 2))
            texts = [f"{parts[i]} {parts[j]}" for i, j in pairs]
            file.write_table(pa.table({"text": texts}), row_group_size=_PER_FILE)
    return folder


@pytest.mark.slow
def test_a_million_texts(million):
    run = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(million)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert len(found["rows"]) == 25
    # Of 480 MB of texts; 64 MB are their vectors, 100 MB the ids.
    assert max(found["grown"]) < 250
