# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""
A first loop: looking for a rare class
======================================

Two texts in a hundred are of the kind that matters. Whoever labels at random reads
fifty to find one. Here a learner asks for the texts that it wants labelled, in three
ways, and we compare what each of them finds and learns.
"""

# %%
# Texts
# -----
#
# Sentences from the docstrings of installed packages. Those that document joblib are
# the rare class: :func:`~skal.datasets.make_imbalanced` keeps so few of them that they
# are 2 % of what there is to label. The test set is held out first, so that it has
# enough of them.

import numpy as np
from sklearn.model_selection import train_test_split

from skal.datasets import load_docstrings, make_imbalanced

bunch = load_docstrings(
    ["joblib", "matplotlib", "numpy", "scipy", "sklearn"],
    max_per_package=1000,
    random_state=0,
)
is_joblib = (bunch.target == bunch.target_names.index("joblib")).astype(int)
X_rest, X_test, y_rest, y_test = train_test_split(
    bunch.data, is_joblib, test_size=0.3, stratify=is_joblib, random_state=0
)
X, y = make_imbalanced(X_rest, y_rest, minority=1, share=0.02, random_state=0)
print(f"to label: {len(y)} sentences, {y.sum()} of them about joblib")
print(f"test set: {len(y_test)} sentences, {y_test.sum()} of them about joblib")

# %%
# Three ways to ask
# -----------------
#
# * at random;
# * :class:`~skal.strategies.Entropy`: what the classifier is least sure of;
# * :class:`~skal.filters.AnchorAL` around it: the same, but only among the neighbours
#   of texts that are labelled already, of each class alike. It compares texts by the
#   vectors of an encoder; here that is skal-tiny, the model that comes with skal.
#
# The classifier is an ordinary scikit-learn pipeline, because that is quick. A
# transformer can take its place as it is, such as ``TransformerClassifier("skal-tiny",
# lr=1e-3)`` in the command ``skal demo``.

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skal import ActiveLearner
from skal.filters import AnchorAL
from skal.strategies import Entropy, RandomSampling
from skal.text import SentenceEncoder

classifier = make_pipeline(
    TfidfVectorizer(sublinear_tf=True),
    LogisticRegression(C=10, class_weight="balanced", max_iter=1000),
)
strategies = {
    "AnchorAL + entropy": AnchorAL(Entropy(), encoder=SentenceEncoder("skal-tiny")),
    "entropy": Entropy(),
    "random": RandomSampling(),
}

# %%
# The loop
# --------
#
# Five sentences about joblib and 95 others are labelled at the start. After that:
# query, label, teach. Here the labels are known already; in real life a person would
# give them between `query` and `teach`.

from sklearn.metrics import f1_score


def run_loop(strategy, seed, n_rounds=12):
    rng = np.random.RandomState(seed)
    start = np.concatenate(
        [
            rng.choice(np.flatnonzero(y == label), n, replace=False)
            for label, n in [(1, 5), (0, 95)]
        ]
    )
    ids = np.arange(len(X))
    learner = ActiveLearner(classifier, strategy, n_queries=25, random_state=seed)
    learner.fit([X[i] for i in start], y[start], ids=start)
    curve = []
    for _ in range(n_rounds):
        rows = learner.query(X, ids=ids)
        learner.teach([X[i] for i in rows], y[rows], ids=rows)
        n_found = learner.y_labeled_.sum() - 5
        curve.append((f1_score(y_test, learner.predict(X_test)), n_found))
    return curve


# %%
# The learning curves
# -------------------
#
# All three start from the same sentences, with each of three seeds. Lines are means
# over the seeds, bands reach from the lowest to the highest.

import matplotlib.pyplot as plt

from skal.metrics import learning_curve_auc

seeds = [0, 1, 2]
curves = {
    name: np.array([run_loop(strategy, seed) for seed in seeds])
    for name, strategy in strategies.items()
}

n_labels = 100 + 25 * np.arange(1, 13)
styles = [("#0072B2", "o-"), ("#009E73", "^:"), ("#D55E00", "s--")]
fig, axes = plt.subplots(1, 2, figsize=(9, 4.5), layout="constrained")
for (name, curve), (color, line) in zip(curves.items(), styles, strict=True):
    for ax, values in zip(axes, np.moveaxis(curve, 2, 0), strict=True):
        ax.plot(n_labels, values.mean(axis=0), line, color=color, label=name)
        low, high = values.min(axis=0), values.max(axis=0)
        ax.fill_between(n_labels, low, high, color=color, alpha=0.15, linewidth=0)
axes[0].set(xlabel="Labelled sentences", ylabel="F1 of joblib on the test set")
axes[1].set(xlabel="Labelled sentences", ylabel="joblib sentences found")
axes[1].axhline(y.sum() - 5, color="0.4", linewidth=1)
axes[1].annotate(
    "all there are", (n_labels[0], y.sum() - 5), (0, -12), textcoords="offset points"
)
for ax in axes:
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.3)
handles = axes[0].get_lines()
_ = fig.legend(handles=handles, loc="outside lower center", ncols=3)

# %%
# The area under a curve, divided by the number of rounds, is its mean height. Compare
# the differences with the range over the seeds: where ranges overlap, three seeds do
# not tell. AnchorAL is made for pools far larger than this one, where it spares the
# strategy from looking at every text.

for name, curve in curves.items():
    heights = [learning_curve_auc(f1, normalize=True) for f1 in curve[:, :, 0]]
    print(
        f"{name:18s}  mean F1 {np.mean(heights):.3f} "
        f"({min(heights):.3f} to {max(heights):.3f}), "
        f"found {curve[:, -1, 1].mean():.0f} of {y.sum() - 5}"
    )
