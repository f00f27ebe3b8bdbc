# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Query by committee: rows on which samples of the classifier disagree."""

from numbers import Integral

from skal.base import QueryStrategy, Reads, ScoreStrategy
from skal.functional import (
    bald,
    batch_bald,
    consensus_entropy,
    max_kl,
    mean_kl,
    mean_std,
    variation_ratio,
    vote_entropy,
)
from skal.utils._sklearn import Interval, StrOptions


class _ReadsSamples:
    """Reads `n_samples` samples of the pool, and nothing else."""

    _parameter_constraints = {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, *, n_samples=10):
        self.n_samples = n_samples

    @property
    def reads(self):
        """Samples of the pool's class probabilities."""
        return Reads(pool=frozenset({"samples"}), n_samples=self.n_samples)

    def _samples(self, view):
        return view.samples(self.n_samples)


class VoteEntropy(_ReadsSamples, ScoreStrategy):
    """Pick the rows that the samples' votes are most divided on.

    Parameters
    ----------
    n_samples : int, default=10
        How many samples to read (the paper's k members). A committee has no more of
        them than members.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        VoteEntropy asks for no encoder.
    seed_ : int
        Unused: nothing is random here.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.vote_entropy : The score.
    ConsensusEntropy : Looks at how sure the samples are, too.

    Notes
    -----
    T passes of the classifier over the pool, then O(T n C) time and memory. The
    score takes few values, so that many rows tie: they go to the lower row. Of equal
    probabilities the lowest class gets a sample's vote, as in modAL.

    References
    ----------
    I. Dagan, S. P. Engelson. Committee-based sampling for training probabilistic
    classifiers. ICML 1995 (there scaled to at most 1, which ranks alike).

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import Committee
    >>> from skal.strategies import VoteEntropy
    >>> X, y = [[-3.0], [-2.0], [-1.0], [1.0], [2.0], [3.0]], ["neg"] * 3 + ["pos"] * 3
    >>> committee = Committee(LogisticRegression(), bootstrap=True, random_state=1)
    >>> strategy = VoteEntropy().fit(X, y, committee.fit(X, y))
    >>> strategy.query([[-9.0], [0.1], [9.0]], n_queries=1).tolist()
    [1]
    """

    def _score(self, view):
        return vote_entropy(self._samples(view))


class ConsensusEntropy(_ReadsSamples, ScoreStrategy):
    """Pick the rows whose mean distribution over the samples has most entropy.

    Parameters
    ----------
    n_samples : int, default=10
        How many samples to read (the paper's T). A committee has no more of them than
        members.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        ConsensusEntropy asks for no encoder.
    seed_ : int
        Unused: nothing is random here.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.consensus_entropy : The score.
    Entropy : The same of one distribution, or with `n_samples`.
    BALD : Less the entropy that all samples agree upon.

    Notes
    -----
    T passes of the classifier over the pool, then O(T n C) time and memory.
    Rows that every sample is unsure of score as high as rows that sure samples are
    divided on. modAL's example for dropout ranks by the mean entropy of the samples
    instead, which is not followed.

    References
    ----------
    Y. Gal, R. Islam, Z. Ghahramani. Deep Bayesian active learning with image data. ICML
    2017, Section 4 (max entropy). https://arxiv.org/abs/1703.02910

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import Committee
    >>> from skal.strategies import ConsensusEntropy
    >>> X, y = [[-3.0], [-2.0], [-1.0], [1.0], [2.0], [3.0]], ["neg"] * 3 + ["pos"] * 3
    >>> committee = Committee(LogisticRegression(), bootstrap=True, random_state=1)
    >>> strategy = ConsensusEntropy().fit(X, y, committee.fit(X, y))
    >>> strategy.query([[-9.0], [0.1], [9.0]], n_queries=1).tolist()
    [1]
    """

    def _score(self, view):
        return consensus_entropy(self._samples(view))


class KLDivergence(_ReadsSamples, ScoreStrategy):
    """Pick the rows whose samples diverge most from their mean distribution.

    Parameters
    ----------
    n_samples : int, default=10
        How many samples to read (the paper's k members). A committee has no more of
        them than members.
    kind : {"mean", "max"}, default="mean"
        "mean" averages the divergences of the samples, "max" takes the largest.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        KLDivergence asks for no encoder.
    seed_ : int
        Unused: nothing is random here.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.mean_kl, skal.functional.max_kl : The scores.
    BALD : Ranks as ``kind="mean"`` does.

    Notes
    -----
    T passes of the classifier over the pool, then O(T n C) time and memory.
    The mean is BALD's mutual information by another formula. The maximum is modAL's,
    and no paper's. scikit-activeml clips the probabilities to 1e-7 first.

    References
    ----------
    A. K. McCallum, K. Nigam. Employing EM and pool-based active learning for text
    classification. ICML 1998 (mean).

    T. Danka, P. Horvath. modAL: A modular active learning framework for Python. 2018
    (max). https://arxiv.org/abs/1805.00979

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import Committee
    >>> from skal.strategies import KLDivergence
    >>> X, y = [[-3.0], [-2.0], [-1.0], [1.0], [2.0], [3.0]], ["neg"] * 3 + ["pos"] * 3
    >>> committee = Committee(LogisticRegression(), bootstrap=True, random_state=1)
    >>> strategy = KLDivergence().fit(X, y, committee.fit(X, y))
    >>> strategy.query([[-9.0], [0.1], [9.0]], n_queries=1).tolist()
    [1]
    """

    _parameter_constraints = {
        **_ReadsSamples._parameter_constraints,
        "kind": [StrOptions({"mean", "max"})],
    }

    def __init__(self, *, n_samples=10, kind="mean"):
        super().__init__(n_samples=n_samples)
        self.kind = kind

    def _score(self, view):
        score = mean_kl if self.kind == "mean" else max_kl
        return score(self._samples(view))


class BALD(_ReadsSamples, ScoreStrategy):
    """Pick the rows whose label would say most about the model (BALD).

    Parameters
    ----------
    n_samples : int, default=10
        How many samples to read (the paper's T). A committee has no more of them than
        members.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        BALD asks for no encoder.
    seed_ : int
        Unused: nothing is random here.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.bald : The score.
    BatchBALD : Looks at what the rows of a batch say together.
    ConsensusEntropy : Does not take off what all samples agree upon.

    Notes
    -----
    T passes of the classifier over the pool, then O(T n C) time and memory.
    0 log 0 = 0; the published codes give NaN for probabilities of 0, or rank by what is
    no mutual information: REAL's and CAL's put raw logits where log-probabilities
    belong, Cartography AL's takes the entropy of a geometric mean. What those papers
    report as BALD is another method.

    References
    ----------
    N. Houlsby, F. Huszár, Z. Ghahramani, M. Lengyel. Bayesian active learning for
    classification and preference learning. 2011, Equation 2.
    https://arxiv.org/abs/1112.5745

    Y. Gal, R. Islam, Z. Ghahramani. Deep Bayesian active learning with image data. ICML
    2017, Section 4 (BALD). https://arxiv.org/abs/1703.02910

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import Committee
    >>> from skal.strategies import BALD
    >>> X, y = [[-3.0], [-2.0], [-1.0], [1.0], [2.0], [3.0]], ["neg"] * 3 + ["pos"] * 3
    >>> committee = Committee(LogisticRegression(), bootstrap=True, random_state=1)
    >>> strategy = BALD().fit(X, y, committee.fit(X, y))
    >>> strategy.query([[-9.0], [0.1], [9.0]], n_queries=1).tolist()
    [1]
    """

    def _score(self, view):
        return bald(self._samples(view))


class MeanSTD(_ReadsSamples, ScoreStrategy):
    """Pick the rows whose probabilities vary most from sample to sample.

    Parameters
    ----------
    n_samples : int, default=10
        How many samples to read (the paper's T). A committee has no more of them than
        members.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        MeanSTD asks for no encoder.
    seed_ : int
        Unused: nothing is random here.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.mean_std : The score.
    BALD : Measures the same in nats.

    Notes
    -----
    T passes of the classifier over the pool, then O(T n C) time and memory.
    The standard deviation is that of the population (divided by T), as in the paper;
    baal's ``Variance`` averages variances, which may rank rows otherwise.

    References
    ----------
    Y. Gal, R. Islam, Z. Ghahramani. Deep Bayesian active learning with image data. ICML
    2017, Section 4 (mean STD). https://arxiv.org/abs/1703.02910

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import Committee
    >>> from skal.strategies import MeanSTD
    >>> X, y = [[-3.0], [-2.0], [-1.0], [1.0], [2.0], [3.0]], ["neg"] * 3 + ["pos"] * 3
    >>> committee = Committee(LogisticRegression(), bootstrap=True, random_state=1)
    >>> strategy = MeanSTD().fit(X, y, committee.fit(X, y))
    >>> strategy.query([[-9.0], [0.1], [9.0]], n_queries=1).tolist()
    [1]
    """

    def _score(self, view):
        return mean_std(self._samples(view))


class VariationRatio(_ReadsSamples, ScoreStrategy):
    """Pick the rows on which fewest samples are for the leading class.

    Parameters
    ----------
    n_samples : int, default=10
        How many samples to read (the paper's T). A committee has no more of them than
        members.
    kind : {"votes", "mean"}, default="votes"
        "votes" counts the samples that are for another class than most; "mean" is one
        less the largest mean probability. The literature calls both by this name.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        VariationRatio asks for no encoder.
    seed_ : int
        Unused: nothing is random here.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.variation_ratio : The score.
    LeastConfidence : Ranks as ``kind="mean"`` does, given `n_samples`.

    Notes
    -----
    T passes of the classifier over the pool, then O(T n C) time and memory. Votes
    take T values at most, so that many rows tie: they go to the lower row.

    References
    ----------
    W. H. Beluch, T. Genewein, A. Nürnberger, J. M. Köhler. The power of ensembles for
    active learning in image classification. CVPR 2018 (votes).

    Y. Gal, R. Islam, Z. Ghahramani. Deep Bayesian active learning with image data. ICML
    2017, Section 4 (mean). https://arxiv.org/abs/1703.02910

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import Committee
    >>> from skal.strategies import VariationRatio
    >>> X, y = [[-3.0], [-2.0], [-1.0], [1.0], [2.0], [3.0]], ["neg"] * 3 + ["pos"] * 3
    >>> committee = Committee(LogisticRegression(), bootstrap=True, random_state=1)
    >>> strategy = VariationRatio().fit(X, y, committee.fit(X, y))
    >>> strategy.query([[-9.0], [0.1], [9.0]], n_queries=1).tolist()
    [1]
    """

    _parameter_constraints = {
        **_ReadsSamples._parameter_constraints,
        "kind": [StrOptions({"votes", "mean"})],
    }

    def __init__(self, *, n_samples=10, kind="votes"):
        super().__init__(n_samples=n_samples)
        self.kind = kind

    def _score(self, view):
        return variation_ratio(self._samples(view), self.kind)


class BatchBALD(_ReadsSamples, QueryStrategy):
    """Pick rows whose labels together would say most about the model (BatchBALD).

    Parameters
    ----------
    n_samples : int, default=10
        How many samples to read (the paper's k draws). A committee has no more of them
        than members.
    max_configurations : int, default=10_000
        Most configurations of labels that are summed over (the paper's m). Joint
        entropies are exact while there are no more of them.
    random_state : int, RandomState instance or None, default=None
        Draws configurations where there are more. None takes the learner's seed; every
        round draws anew either way.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        BatchBALD asks for no encoder.
    seed_ : int
        Seed used when `random_state` is None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.batch_bald : The picks, and how they are found.
    BALD : Rows that say most one by one, however alike.

    Notes
    -----
    T passes of the classifier over the pool and O(T n C) time for the first row, then
    O(m T C max_configurations) for each further one, with m rows looked at again: few
    of n as a rule. `transform` gives BALD's scores, the largest of which is picked
    first.

    A sample must be one network for all rows, as a committee member is and a sample of
    :class:`~skal.text.DenseClassifier`. The dropout of
    :class:`~skal.TransformerClassifier` draws masks for each text, as dropout layers
    do, which tells nothing of labels together. Use :class:`~skal.Committee` around it.

    The authors' code draws its configurations anew for each row of the batch, and with
    replacement. scikit-activeml's default is one draw per sample, which gives other
    batches.

    References
    ----------
    A. Kirsch, J. van Amersfoort, Y. Gal. BatchBALD: Efficient and diverse batch
    acquisition for deep Bayesian active learning. NeurIPS 2019, Algorithm 1.
    https://arxiv.org/abs/1906.08158

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import Committee
    >>> from skal.strategies import BatchBALD
    >>> X, y = [[-3.0], [-2.0], [-1.0], [1.0], [2.0], [3.0]], ["neg"] * 3 + ["pos"] * 3
    >>> committee = Committee(LogisticRegression(), bootstrap=True, random_state=1)
    >>> strategy = BatchBALD().fit(X, y, committee.fit(X, y))
    >>> strategy.query([[-9.0], [0.1], [9.0]], n_queries=1).tolist()
    [1]
    """

    _parameter_constraints = {
        **_ReadsSamples._parameter_constraints,
        "max_configurations": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, *, n_samples=10, max_configurations=10_000, random_state=None):
        super().__init__(n_samples=n_samples)
        self.max_configurations = max_configurations
        self.random_state = random_state

    def _represent(self, view):
        return bald(self._samples(view))[:, None]

    def _explain(self, view):
        return {"score": self._represent(view)[:, 0]}

    def _query(self, view, n_queries):
        return batch_bald(
            self._samples(view),
            n_queries,
            max_configurations=self.max_configurations,
            random_state=view.rng(self.random_state),
        )
