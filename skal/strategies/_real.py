# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""REAL: errors that stand out in their cluster, more of them where they are dense."""

from numbers import Integral

import numpy as np
from sklearn.cluster import MiniBatchKMeans

from skal.base import QueryStrategy, Reads
from skal.functional import (
    allocate_budget,
    entropy,
    k_means,
    pseudo_errors,
    top_per_cluster,
    top_rows,
)
from skal.functional._clustering import in_range, nearest_center
from skal.utils._arrays import check_vectors
from skal.utils._sklearn import Interval, StrOptions


class REAL(QueryStrategy):
    """Pick rows that are predicted otherwise than most rows of their cluster.

    The pool is clustered by k-means on the classifier's embedding. A row whose
    predicted class is not its cluster's majority is a pseudo-error: likely to be wrong.
    The batch is shared out among the clusters in proportion to their density of
    pseudo-errors, and drawn from these at random.

    Parameters
    ----------
    n_clusters : int, default=25
        The paper's K. It sweeps it, from tens to hundreds, and names no default; 25 is
        that of the authors' program.
    variant : {"real", "pool", "uniform", "cluster", "entropy"}, default="real"
        The method, or one of the paper's four ablations of it (section 5.3):

        * "pool": the rows of the whole pool with the largest epsilon, one minus the
          probability of their cluster's majority;
        * "uniform": the same number of random pseudo-errors in every cluster;
        * "cluster": REAL's number in each cluster, of the rows with the largest
          epsilon;
        * "entropy": REAL's number in each cluster, of the pseudo-errors with the
          largest entropy.
    compat : {None, "reference"}, default=None
        None follows the paper, "reference" the authors' code, which its published
        numbers come from. The differences are listed in the notes.
    random_state : int, RandomState instance or None, default=None
        None takes the learner's seed. Every round draws anew either way.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        REAL asks for no encoder.
    seed_ : int
        Seed used when `random_state` is None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.pseudo_errors : Which rows, and how dense they are.
    skal.functional.allocate_budget : How many of each cluster.
    skal.functional.k_means : The clusters.

    Notes
    -----
    `transform` gives four columns: the number of the row's cluster, 1 for a
    pseudo-error and 0 otherwise, the row's epsilon, and the density of its cluster.

    One pass of the classifier over the pool; then O(n K d) time in each of 25 k-means
    iterations, and O(n (C + log n)) for all the rest. Memory: the embedding and O(n C).

    Rows that are missing to a full batch (few pseudo-errors, or shares that round to
    nothing because `n_clusters` exceeds the batch) are those with the largest epsilon
    in the whole pool, ties by lower row. In the paper the clusters are those of the
    last layer's [CLS] vectors; here of what the classifier embeds rows by, the input of
    its last linear layer.

    Where the authors' code (``compat="reference"``) differs from the paper:

    * clusters by scikit-learn's MiniBatchKMeans with one fixed seed in every round; in
      the paper k-means by faiss;
    * of classes that are predicted equally often in a cluster the one first met last is
      the majority; here the lowest;
    * what rounding leaves of the batch goes to the clusters of largest density; in the
      paper to those that got most;
    * "real" and "entropy": a cluster with no more pseudo-errors than its share gives
      the rows of its largest epsilon, errors or not; in the paper its pseudo-errors,
      and the rest comes from the whole pool;
    * "uniform": rows of the largest epsilon, errors or not, and the rest by entropy.

    Two accidents of that code are not followed: without any pseudo-error it stops (its
    "cluster" variant gives one row each to clusters of the highest number, and so does
    ``compat="reference"`` here); and where a cluster is smaller than its share the rest
    is taken from the order of epsilon starting at an arbitrary rank (here at the top).

    References
    ----------
    C. Chen, Y. Wang, L. Liao, Y. Chen, X. Du. REAL: a representative error-driven
    approach for active learning. ECML PKDD 2023, Algorithm 1.
    :doi:`10.1007/978-3-031-43412-9_2`

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import REAL
    >>> X_pool = np.random.RandomState(0).normal(size=(200, 8))
    >>> X, y = X_pool[:20], np.arange(20) % 2
    >>> classifier = LogisticRegression().fit(X, y)
    >>> strategy = REAL(n_clusters=10, random_state=0).fit(X, y, estimator=classifier)
    >>> len(strategy.query(X_pool[20:], n_queries=5))
    5
    """

    draws_from_pool = True

    _parameter_constraints = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "variant": [StrOptions({"real", "pool", "uniform", "cluster", "entropy"})],
        "compat": [StrOptions({"reference"}), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self, *, n_clusters=25, variant="real", compat=None, random_state=None
    ):
        self.n_clusters = n_clusters
        self.variant = variant
        self.compat = compat
        self.random_state = random_state

    @property
    def reads(self):
        """The pool's class probabilities and embedding."""
        return Reads(pool=frozenset({"proba", "embedding"}))

    def _represent(self, view):
        clusters, is_error, epsilon, density = self._look(
            view, view.rng(self.random_state)
        )
        return np.column_stack([clusters, is_error, epsilon, density[clusters]])

    def _explain(self, view):
        clusters, _, epsilon, _ = self._represent(view).T
        return {"score": epsilon, "cluster": clusters.astype(np.int64)}

    def _query(self, view, n_queries):
        rng = view.rng(self.random_state)
        clusters, is_error, epsilon, density = self._look(view, rng)
        budget = self._budget(density, n_queries)
        scores = self._scores(view, is_error, epsilon, rng)
        if self.compat == "reference" and self.variant in ("real", "entropy"):
            n_errors = np.bincount(clusters, weights=is_error, minlength=len(budget))
            scores = np.where((n_errors <= budget)[clusters], epsilon, scores)
        rows = top_per_cluster(scores, clusters, budget)
        by_entropy = self.compat == "reference" and self.variant == "uniform"
        rest = entropy(view.proba) if by_entropy else epsilon
        return np.concatenate([rows, _others(rest, rows, n_queries - len(rows))])

    def _look(self, view, rng):
        """Cluster, pseudo-error, epsilon of each row; density of each cluster."""
        clusters, centers = self._cluster(view.embedding, rng)
        _, is_error, epsilon, density = pseudo_errors(
            view.proba, clusters, n_clusters=len(centers), compat=self.compat
        )
        return clusters, is_error, epsilon, density

    def _cluster(self, embedding, rng):
        if self.compat == "reference":
            return _reference_clusters(embedding, self.n_clusters)
        return k_means(embedding, self.n_clusters, random_state=rng)

    def _budget(self, density, n_queries):
        """How many rows each cluster gives."""
        if self.variant == "pool":
            return np.zeros(len(density), dtype=np.int64)
        if self.variant == "uniform":
            if self.compat == "reference":
                return np.full(len(density), n_queries // len(density))
            density = np.ones(len(density))
        return allocate_budget(density, n_queries, compat=self.compat)

    def _scores(self, view, is_error, epsilon, rng):
        """What decides within a cluster; minus infinity for a row that may not go."""
        any_row = ("cluster", "uniform") if self.compat == "reference" else ("cluster",)
        if self.variant in any_row:
            return epsilon
        if self.variant == "entropy":
            scores = entropy(view.proba)
        else:
            scores = rng.random_sample(len(view))
        return np.where(is_error, scores, -np.inf)


def _others(scores, rows, n_queries):
    """The best rows that are not among `rows`."""
    others = np.ones(len(scores), dtype=bool)
    others[rows] = False
    others = np.flatnonzero(others)
    return others[top_rows(scores[others], n_queries)]


def _reference_clusters(embedding, n_clusters):
    """Clusters, some of them empty perhaps, and centres as the authors' code has them.

    The batch size was scikit-learn's default.
    """
    X, _ = in_range(check_vectors(embedding, "embedding"))
    clustering = MiniBatchKMeans(
        min(n_clusters, len(X)),
        random_state=0,
        n_init=3,
        max_iter=100,
        batch_size=1024,
        compute_labels=False,
    )
    centers = clustering.fit(X).cluster_centers_
    return nearest_center(X, centers), centers
