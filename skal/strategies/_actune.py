# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""AcTune's active part: the least certain rows of the least certain regions."""

from numbers import Integral, Real

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from sklearn.neighbors import NearestNeighbors

from skal.base import QueryStrategy, Reads
from skal.functional import (
    contrastive_scores,
    entropy,
    k_means,
    region_rows,
    region_scores,
)
from skal.functional._clustering import in_range, nearest_center
from skal.utils._arrays import check_vectors
from skal.utils._sklearn import Interval, StrOptions

# What the authors' code adds to probabilities before it takes logarithms.
_EPSILON = 1e-10


class AcTune(QueryStrategy):
    r"""Pick uncertain rows from the regions in which the classifier is uncertain.

    The pool is clustered by k-means on the classifier's embedding, in which a row
    weighs as much as it is uncertain. A region's score is the mean uncertainty u of its
    rows, plus how mixed their predicted classes are:

    .. math:: u_k = \frac{1}{|C_k|} \sum_{x \in C_k} u(x)
        - \beta \sum_c f_{kc} \log f_{kc}

    From the regions with the largest scores the most uncertain rows are picked. (The
    method's other part trains on confident rows of certain regions: it is the rule
    "regions" of :class:`~skal.PseudoLabelClassifier`.)

    Parameters
    ----------
    n_clusters : int, default=25
        The paper's K; the authors' scripts take 25, and 30 for DBpedia.
    uncertainty : {"entropy", "contrastive"}, default="entropy"
        A row's uncertainty u: the entropy of its prediction, or how much that differs
        from the predictions for the labelled rows near to it
        (:func:`skal.functional.contrastive_scores`).
    beta : float, default=0.5
        How much mixed predictions count. 0.5 is that of the authors' scripts, 0.1 that
        of their program.
    n_per_region : int, default=10
        Most rows of a region, as long as there are enough regions.
    max_share : float or None, default=None
        Largest share of a region's rows that is picked, as long as there are enough
        regions; of small regions one row goes all the same. None: no limit, or with
        ``compat="reference"`` the 0.05 of the authors' scripts (0.1 for SST-2).
    n_neighbors : int, default=10
        Labelled rows that a row is compared with; for ``uncertainty="contrastive"``.
    compat : {None, "reference"}, default=None
        None follows the paper, "reference" the authors' code, which its published
        numbers come from. The differences are listed in the notes.
    random_state : int, RandomState instance or None, default=None
        Of the clusters. None takes the learner's seed. Every round draws anew either
        way; with ``compat="reference"`` no round does.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        AcTune asks for no encoder.
    seed_ : int
        Seed used when `random_state` is None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.region_scores : Which regions.
    skal.functional.region_rows : Which of their rows.
    skal.functional.k_means : The clusters.
    REAL : Another method of clusters, about errors.

    Notes
    -----
    `transform` gives three columns: the number of the row's cluster, the row's
    uncertainty, and the score of its region.

    One pass of the classifier over the pool (and over L labelled rows, for
    ``uncertainty="contrastive"``, which adds O(n L (d + C)) time); then O(n K d) time
    in each of 25 k-means iterations and O(n (C + log n)) for all the rest. Memory: the
    embedding and O(n C).

    The paper takes as many rows, `n_per_region`, from each of M regions, where M times
    that is the batch. Where the regions are too few, or too small, they take another
    turn here. Its regions are those of the last layer's [CLS] vectors; here of what the
    classifier embeds rows by, the input of its last linear layer.

    Where the authors' code (``compat="reference"``) differs:

    * clusters by scikit-learn's MiniBatchKMeans with one fixed seed in every round;
    * the counts of the classes predicted in a region are divided by the largest of
      them, not by their sum: the majority adds nothing, and what comes out is no
      entropy. On the cases it was tested with, six in nine orders of the regions
      differ;
    * a region gives ``min(missing, 10, size // 20)`` rows; one of fewer than 20 rows
      then gives all it has;
    * what is missing is counted down by the rows that the region's rest would give;
    * the regions' turns may leave rows missing. These are the *most* certain rows of
      the region of the lowest number, then of the next;
    * "contrastive": the nearest labelled rows by embeddings that are not normalised,
      and 1e-10 added to probabilities.

    An accident of that code is not followed: an empty cluster stops it.

    References
    ----------
    Y. Yu, L. Kong, J. Zhang, R. Zhang, C. Zhang. AcTune: uncertainty-based active
    self-training for active fine-tuning of pretrained language models. NAACL 2022,
    Section 3.2. :doi:`10.18653/v1/2022.naacl-main.102`

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import AcTune
    >>> X_pool = np.random.RandomState(0).normal(size=(200, 8))
    >>> X, y = X_pool[:20], np.arange(20) % 2
    >>> classifier = LogisticRegression().fit(X, y)
    >>> strategy = AcTune(n_clusters=10, random_state=0).fit(X, y, classifier)
    >>> len(strategy.query(X_pool[20:], n_queries=5))
    5
    """

    draws_from_pool = True

    _parameter_constraints = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "uncertainty": [StrOptions({"entropy", "contrastive"})],
        "beta": [Interval(Real, 0, None, closed="left")],
        "n_per_region": [Interval(Integral, 1, None, closed="left")],
        "max_share": [Interval(Real, 0, 1, closed="right"), None],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "compat": [StrOptions({"reference"}), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        n_clusters=25,
        uncertainty="entropy",
        beta=0.5,
        n_per_region=10,
        max_share=None,
        n_neighbors=10,
        compat=None,
        random_state=None,
    ):
        self.n_clusters = n_clusters
        self.uncertainty = uncertainty
        self.beta = beta
        self.n_per_region = n_per_region
        self.max_share = max_share
        self.n_neighbors = n_neighbors
        self.compat = compat
        self.random_state = random_state

    @property
    def reads(self):
        """Probabilities and embeddings; of labelled rows for "contrastive" only."""
        outputs = frozenset({"proba", "embedding"})
        compares = self.uncertainty == "contrastive"
        return Reads(pool=outputs, labeled=outputs if compares else frozenset())

    def _represent(self, view):
        clusters, scores, regions = self._look(view)
        return np.column_stack([clusters, scores, regions[clusters]])

    def _explain(self, view):
        clusters, scores, _ = self._look(view)
        return {"score": scores, "cluster": clusters}

    def _query(self, view, n_queries):
        clusters, scores, regions = self._look(view)
        default = 1.0 if self.compat is None else 0.05
        return region_rows(
            scores,
            clusters,
            regions,
            n_queries,
            n_per_region=self.n_per_region,
            max_share=default if self.max_share is None else self.max_share,
            compat=self.compat,
        )

    def _look(self, view):
        """Cluster and uncertainty of each row, score of each cluster."""
        scores = self._scores(view)
        clusters, n_clusters = self._cluster(view, scores)
        regions = region_scores(
            scores,
            view.proba,
            clusters,
            beta=self.beta,
            n_clusters=n_clusters,
            compat=self.compat,
        )
        return clusters, scores, regions

    def _scores(self, view):
        if self.uncertainty == "entropy":
            return entropy(view.proba)
        if self.compat == "reference":
            return _reference_contrast(view, self.n_neighbors)
        return contrastive_scores(
            view.proba,
            view.embedding,
            view.labeled.proba,
            view.labeled.embedding,
            self.n_neighbors,
        )

    def _cluster(self, view, scores):
        """Cluster of each row, and their number."""
        weights = np.maximum(scores, 0)  # of rounding alone they may be below
        if self.compat == "reference":
            return _reference_clusters(view.embedding, self.n_clusters, weights)
        clusters, centers = k_means(
            view.embedding,
            self.n_clusters,
            sample_weight=weights,
            random_state=view.rng(self.random_state),
        )
        return clusters, len(centers)


def _reference_clusters(embedding, n_clusters, weights):
    X, _ = in_range(check_vectors(embedding, "embedding"))
    clustering = MiniBatchKMeans(
        min(n_clusters, len(X)),
        random_state=0,
        n_init=3,
        max_iter=100,
        batch_size=256,
        compute_labels=False,
    )
    clustering.fit(X, sample_weight=weights if weights.any() else None)
    centers = clustering.cluster_centers_
    return nearest_center(X, centers), len(centers)


def _reference_contrast(view, n_neighbors):
    """Mean divergence from the labelled rows nearest by Euclidean distance."""
    labeled_proba, labeled = view.labeled.proba, view.labeled.embedding
    k = min(n_neighbors, len(labeled))
    nearest = NearestNeighbors(n_neighbors=k).fit(labeled)
    nearest = nearest.kneighbors(view.embedding, return_distance=False)
    own = np.einsum("ij,ij->i", labeled_proba, np.log(labeled_proba + _EPSILON))
    mean = labeled_proba[nearest[:, 0]]
    for column in nearest.T[1:]:
        mean += labeled_proba[column]
    mean /= k
    crossed = np.einsum("ij,ij->i", mean, np.log(view.proba + _EPSILON))
    return own[nearest].mean(axis=1) - crossed
