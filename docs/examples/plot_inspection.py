# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""
Pictures of a run, and why a row was picked
===========================================

Which strategy learns faster, what a filter leaves it to choose from, where in the pool
its picks lie, how training went for each row, and why a text was asked for:
``skal.inspection`` answers with pictures and with words.
"""

# %%
# A simulation
# ------------
#
# Which package is a sentence of documentation about? Sentences about joblib are rare
# among those about numpy and skorch. Three learners buy labels, with five seeds each.

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skal import ActiveLearner, simulate
from skal.datasets import load_docstrings
from skal.filters import AnchorAL
from skal.strategies import Entropy, RandomSampling

bunch = load_docstrings(
    ["joblib", "numpy", "skorch"], max_per_package=600, random_state=0
)
packages = np.array(bunch.target_names)[bunch.target]
X_rest, X_test, y_rest, y_test = train_test_split(
    bunch.data, packages, stratify=packages, random_state=0
)
kept = np.ones(len(y_rest), dtype=bool)
kept[np.flatnonzero(y_rest == "joblib")[60:]] = False
X, y = [X_rest[row] for row in np.flatnonzero(kept)], y_rest[kept]

vectors = make_pipeline(
    TfidfVectorizer(sublinear_tf=True), TruncatedSVD(50, random_state=0)
)
classifier = make_pipeline(
    TfidfVectorizer(sublinear_tf=True),
    LogisticRegression(C=10, class_weight="balanced", max_iter=1000),
)
anchors = AnchorAL(Entropy(), n_neighbors=20, max_subpool=200, encoder=vectors)
learners = {
    "AnchorAL": ActiveLearner(classifier, anchors),
    "entropy": ActiveLearner(classifier, Entropy()),
    "random": ActiveLearner(classifier, RandomSampling()),
}
table = simulate(
    learners,
    (X, y, X_test, y_test),
    n_rounds=10,
    n_queries=10,
    initial={"joblib": 4, "numpy": 18, "skorch": 18},
    seeds=5,
    scoring=["f1_macro"],
)

# %%
# Learning curves
# ---------------
#
# By the labels bought, and by the seconds that an annotator has waited for queries and
# training. The bands are confidence intervals of the mean over the seeds.

import matplotlib.pyplot as plt

from skal.inspection import LearningCurveDisplay

fig, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", sharey=True)
LearningCurveDisplay.from_simulation(table, ax=axes[0], add_legend=False)
_ = LearningCurveDisplay.from_simulation(table, x="seconds", ax=axes[1])

# %%
# What there was to choose from
# -----------------------------
#
# How many rows each strategy looked at, which share of them was of the rare class, and
# which share of the labels bought was. Without a filter a strategy looks at all rows
# that are left.

from skal.inspection import SubpoolDisplay

fig, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
display = SubpoolDisplay.from_simulation(
    table, y, minority="joblib", ax=axes[0], add_legend=False
)
display.plot(axes[1], kind="share", add_legend=False)
_ = display.plot(axes[2], kind="found")

# %%
# Where the picks lie
# -------------------
#
# The pool in the plane: rings are the rows picked, crosses those that the classifier is
# wrong about. It is the classifier before it learns them.

from skal.inspection import SelectionDisplay

start = np.random.RandomState(0).permutation(len(X))[:150]
X_pool = [X[row] for row in np.setdiff1d(np.arange(len(X)), start)]
y_pool = np.delete(y, start)
learner = ActiveLearner(classifier, anchors, random_state=0)
learner.fit([X[row] for row in start], y[start])
rows = learner.query(X_pool, n_queries=20)
display = SelectionDisplay.from_estimator(learner, X_pool, rows, y_pool, random_state=0)

# %%
# Why this row?
# -------------
#
# The same query in words: what the classifier is unsure between, which labelled
# sentences are near, and which of them brought the row into the subpool.

print(learner.explain_query(X_pool, 20, rows=rows[:3], n_neighbors=2))

# %%
# All of it is also a data frame.

frame = learner.explain_query(X_pool, 20).to_frame()
print(frame[["row", "score", "rank", "predicted", "anchor_label"]].head())

# %%
# How each row was learned
# ------------------------
#
# A classifier that notes its training draws the map of the labelled set. Rows at the
# bottom were hardly ever predicted as labelled: it is worth reading their labels again.

from skal.inspection import DataMapDisplay
from skal.text import DenseClassifier

dense = make_pipeline(
    vectors, DenseClassifier((50,), lr=2e-3, max_epochs=30, random_state=0)
)
dense.fit(X, y)
_ = DataMapDisplay.from_estimator(dense)
