# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""
A first loop
============

Which sentences should a person label who can label only a few? We let one learner ask
for those it is least sure of, another for random ones, and compare what they learnt.
"""

# %%
# Texts
# -----
#
# Sentences from the docstrings of installed packages; the label is the package. A few
# are labelled from the start, most are the pool, and some are held out to test on.

import numpy as np
from sklearn.model_selection import train_test_split

from skal.datasets import load_docstrings

bunch = load_docstrings(["joblib", "numpy", "scipy", "sklearn"], random_state=0)
X, X_test, y, y_test = train_test_split(
    bunch.data, bunch.target, test_size=0.3, stratify=bunch.target, random_state=0
)
X_seed, y_seed, X_pool, y_pool = X[:40], y[:40], X[40:], y[40:]

for name, n in zip(bunch.target_names, np.bincount(bunch.target), strict=True):
    print(f"{n:5d} sentences document {name}")

# %%
# Two learners
# ------------
#
# They differ in their strategy only. The classifier is an ordinary scikit-learn
# pipeline; a :class:`~skal.TransformerClassifier` can take its place as it is.

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skal import ActiveLearner
from skal.strategies import Entropy, RandomSampling

classifier = make_pipeline(
    TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10, max_iter=1000)
)

# %%
# The loop
# --------
#
# Query, label, teach. Here the labels are known already; in real life a person would
# give them between `query` and `teach`.


def learning_curve(strategy, random_state, n_rounds=15):
    learner = ActiveLearner(
        classifier, strategy, n_queries=20, random_state=random_state
    )
    ids = np.arange(len(X_pool))
    learner.fit(X_seed, y_seed)
    scores = [learner.score(X_test, y_test)]
    for _ in range(n_rounds):
        rows = learner.query(X_pool, ids=ids)
        learner.teach([X_pool[i] for i in rows], y_pool[rows], ids=ids[rows])
        scores.append(learner.score(X_test, y_test))
    return scores


# %%
# The learning curves
# -------------------
#
# Random picking differs from seed to seed, so it is run five times. The area under the
# curve, divided by the number of rounds, is its mean height.

import matplotlib.pyplot as plt

from skal.metrics import learning_curve_auc

entropy = learning_curve(Entropy(), random_state=0)
random = np.array([learning_curve(RandomSampling(), seed) for seed in range(5)])

n_labels = 40 + 20 * np.arange(len(entropy))
fig, ax = plt.subplots(layout="constrained")
ax.plot(n_labels, entropy, "o-", color="#0072B2", label="entropy")
ax.plot(n_labels, random.mean(axis=0), "s--", color="#D55E00", label="random")
ax.fill_between(
    n_labels,
    random.min(axis=0),
    random.max(axis=0),
    color="#D55E00",
    alpha=0.2,
    label="random, range of 5 seeds",
)
ax.set(xlabel="Labelled sentences", ylabel="Accuracy on the test set")
ax.legend()

print(f"entropy: {learning_curve_auc(entropy, normalize=True):.3f}")
print(f"random:  {learning_curve_auc(random.mean(axis=0), normalize=True):.3f}")
