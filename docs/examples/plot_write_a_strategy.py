# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""
A strategy of one's own
=======================

Two strategies that skal does not have, written as :doc:`/write_a_strategy` says: one
scores rows by a formula, the other learns something of its own in every query. Both are
held to skal's checks, and then asked for sentences to label, beside random picking.
"""

# %%
# A score
# -------
#
# The Rényi entropy of a prediction is a family: near order 1 it is the entropy that
# everybody means, and the higher the order the more it looks at the probable classes
# only. A score needs two things: `reads`, what it reads of the classifier, and
# `_score`.

import numpy as np

from skal.base import Reads, ScoreStrategy


class RenyiEntropy(ScoreStrategy):
    """Pick the rows whose predictions have the largest Rényi entropy (not order 1)."""

    reads = Reads(pool={"proba"})

    def __init__(self, *, order=2):
        self.order = order

    def _score(self, view):
        powers = (view.proba**self.order).sum(axis=1)
        return np.log(powers) / (1 - self.order)


# %%
# Something learned
# -----------------
#
# Uncertain rows are often alike. This strategy learns, before each batch, to tell the
# rows of the pool from the labelled ones, and picks rows that are uncertain *and*
# unlike what has a label. A row's score depends on what else is in the pool, so it is a
# plain :class:`~skal.QueryStrategy`; it learns from rows drawn at random, so it says
# that it draws.

from sklearn.linear_model import LogisticRegression

from skal import QueryStrategy
from skal.functional import entropy, random_rows, top_rows


class UncertainAndNew(QueryStrategy):
    """Pick uncertain rows that a model can tell from the labelled ones."""

    draws_from_pool = True
    reads = Reads(pool={"proba", "embedding"}, labeled={"embedding"})

    def __init__(self, *, max_rows=500, random_state=None):
        self.max_rows = max_rows
        self.random_state = random_state

    def _represent(self, view):
        return np.column_stack([entropy(view.proba), self._newness(view)])

    def _query(self, view, n_queries):
        return top_rows(self._represent(view).prod(axis=1), n_queries)

    def _newness(self, view):
        rng = view.rng(self.random_state)
        some = random_rows(len(view), self.max_rows, rng)
        labeled = view.labeled.embedding
        X = np.concatenate([labeled, view.embedding[some]])
        is_new = np.arange(len(X)) >= len(labeled)
        model = LogisticRegression(class_weight="balanced", max_iter=1000)
        return model.fit(X, is_new).predict_proba(view.embedding)[:, 1]


# %%
# The checks
# ----------
#
# A loop that ends proves little. The checks ask for batches from shuffled pools, from
# pools of equal rows, from every container; for the same batch after pickling; for
# nothing to be changed on the way.

from skal.utils.estimator_checks import check_query_strategy

for strategy in (
    RenyiEntropy(),
    RenyiEntropy(order=5),
    UncertainAndNew(random_state=0),
):
    check_query_strategy(strategy)
    print(f"{strategy!r} keeps its promises")

# %%
# Sentences
# ---------
#
# Which package is a sentence of documentation from? The texts become vectors once,
# which is quick, and a plain logistic regression on vectors has them for its embedding.
# A transformer has one of its own; the strategies stay as they are.

from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skal.datasets import load_docstrings

bunch = load_docstrings(
    ["joblib", "numpy", "sklearn"], max_per_package=500, random_state=0
)
vectors = make_pipeline(TfidfVectorizer(sublinear_tf=True), TruncatedSVD(100))
X, X_test, y, y_test = train_test_split(
    vectors.set_params(truncatedsvd__random_state=0).fit_transform(bunch.data),
    bunch.target,
    test_size=0.3,
    random_state=0,
)
print(f"to label: {len(y)} sentences, test set: {len(y_test)}")

# %%
# The learning curves
# -------------------
#
# With a `budget`, `fit` runs the rounds itself, and `keep_estimators` keeps the model
# of each of them. Lines are means over four seeds, bands reach from the lowest to the
# highest.

import matplotlib.pyplot as plt
from sklearn.metrics import f1_score

from skal import ActiveLearner
from skal.strategies import RandomSampling


def curve(strategy, seed):
    learner = ActiveLearner(
        LogisticRegression(C=10, max_iter=1000),
        strategy,
        n_queries=20,
        budget=200,
        initial=40,
        keep_estimators=True,
        random_state=seed,
    ).fit(X, y)
    return [
        f1_score(y_test, told, average="macro")
        for told in learner.staged_predict(X_test)
    ]


strategies = {
    "uncertain and new": (UncertainAndNew(), "#0072B2", "o-"),
    "Rényi entropy": (RenyiEntropy(), "#009E73", "^:"),
    "random": (RandomSampling(), "#D55E00", "s--"),
}
fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
n_labels = np.arange(40, 201, 20)
for name, (strategy, color, line) in strategies.items():
    curves = np.array([curve(strategy, seed) for seed in range(4)])
    ax.plot(n_labels, curves.mean(axis=0), line, color=color, label=name)
    low, high = curves.min(axis=0), curves.max(axis=0)
    ax.fill_between(n_labels, low, high, color=color, alpha=0.15, linewidth=0)
    print(f"{name:18s} mean F1 {curves.mean():.3f}")
ax.set(xlabel="Labelled sentences", ylabel="Macro-F1 on the test set")
ax.grid(alpha=0.3)
_ = ax.legend(loc="lower right")
