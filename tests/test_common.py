# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""scikit-learn's own checks, on every estimator that takes arrays."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import estimator_checks_generator

from skal import (
    CEAL,
    ActiveLearner,
    Committee,
    PseudoLabelClassifier,
    QueryPipeline,
    TransformerClassifier,
)
from skal.filters import SEALS, UPS, AnchorAL, KMeansSub, RandSub
from skal.strategies import (
    ALPS,
    BADGE,
    BALD,
    MAL,
    PLMKM,
    REAL,
    VAAL,
    AcTune,
    BatchBALD,
    BertKM,
    CartographyAL,
    ClassBalanced,
    Combine,
    ConsensusEntropy,
    ContrastiveAL,
    CoreSet,
    DiscriminativeAL,
    DiverseMiniBatch,
    Entropy,
    ExpectedGradientLength,
    ForgettingEvents,
    FTBertKM,
    KLDivergence,
    LabelDispersion,
    LeastConfidence,
    Margin,
    MeanSTD,
    PowerSampling,
    PredictedLoss,
    RandomSampling,
    SuggestiveAnnotation,
    VariationRatio,
    ViaProxy,
    VoteEntropy,
)
from skal.text import (
    BayesByBackpropClassifier,
    DenseClassifier,
    DiverseEnsemble,
    LossPredictingClassifier,
    PoolRecorder,
    SnapshotEnsemble,
    SplitHeadClassifier,
)
from skal.utils.estimator_checks import check_query_strategy


class FitsItsClassifier:
    """The checks fit without a classifier: fit one for a strategy that reads it."""

    def fit(self, X, y=None, estimator=None):
        """Fit a logistic regression, then the strategy around it."""
        return super().fit(X, y, LogisticRegression().fit(X, y))


class EntropyOfLogisticRegression(FitsItsClassifier, Entropy):
    """Entropy with a classifier of its own."""


class LeastConfidenceOfLogisticRegression(FitsItsClassifier, LeastConfidence):
    """Least confidence with a classifier of its own."""


class MarginOfLogisticRegression(FitsItsClassifier, Margin):
    """Margin with a classifier of its own."""


class ClassBalancedOfLogisticRegression(FitsItsClassifier, ClassBalanced):
    """Balanced batches with a classifier of its own."""


class AnchorALOfLogisticRegression(FitsItsClassifier, AnchorAL):
    """AnchorAL with a classifier of its own."""


DENSE = DenseClassifier(
    (20,), lr=0.02, max_epochs=5, batch_size=8, device="cpu", random_state=0
)


HEADS = SplitHeadClassifier(DENSE, random_state=0)
BAYES = BayesByBackpropClassifier(DENSE, random_state=0)


class FitsItsNetwork:
    """The same with a network, for a strategy that reads more than probabilities."""

    def fit(self, X, y=None, estimator=None):
        """Fit a dense classifier, then the strategy around it."""
        return super().fit(X, y, clone(DENSE).fit(X, y))


class BADGEOfDenseClassifier(FitsItsNetwork, BADGE):
    """BADGE with a classifier of its own."""


class REALOfDenseClassifier(FitsItsNetwork, REAL):
    """REAL with a classifier of its own."""


class CoreSetOfDenseClassifier(FitsItsNetwork, CoreSet):
    """Core-set with a classifier of its own."""


class FTBertKMOfDenseClassifier(FitsItsNetwork, FTBertKM):
    """FT-BERT-KM with a classifier of its own."""


class PLMKMOfDenseClassifier(FitsItsNetwork, PLMKM):
    """PLM-KM with a classifier of its own."""


class DiverseMiniBatchOfDenseClassifier(FitsItsNetwork, DiverseMiniBatch):
    """Zhdanov's mini-batch with a classifier of its own."""


class SuggestiveAnnotationOfDenseClassifier(FitsItsNetwork, SuggestiveAnnotation):
    """Suggestive annotation with a classifier of its own."""


class ExpectedGradientLengthOfDenseClassifier(FitsItsNetwork, ExpectedGradientLength):
    """Expected gradient length with a classifier of its own."""


class ContrastiveALOfDenseClassifier(FitsItsNetwork, ContrastiveAL):
    """CAL with a classifier of its own."""


class AcTuneOfDenseClassifier(FitsItsNetwork, AcTune):
    """AcTune with a classifier of its own."""


class DiscriminativeALOfDenseClassifier(FitsItsNetwork, DiscriminativeAL):
    """Discriminative AL with a classifier of its own."""


class VAALOfDenseClassifier(FitsItsNetwork, VAAL):
    """VAAL with a classifier of its own."""


class MALOfDenseClassifier(FitsItsNetwork, MAL):
    """MAL with a classifier of its own."""


class CartographyALOfDenseClassifier(FitsItsNetwork, CartographyAL):
    """Cartography AL with a classifier of its own."""


class ForgettingEventsOfDenseClassifier(FitsItsNetwork, ForgettingEvents):
    """Forgetting events with a classifier of its own."""


class Staged(GradientBoostingClassifier):
    """A classifier of one's own that can say of any row what it used to predict."""

    def epoch_predictions(self, X):
        """The classes predicted by 1, 2, ... trees, as positions in `classes_`."""
        stages = self.staged_predict(X)
        return np.stack([np.searchsorted(self.classes_, stage) for stage in stages])


STAGED = Staged(n_estimators=5, max_depth=2, random_state=0)


class LabelDispersionOfStages(LabelDispersion):
    """Label dispersion with a classifier of its own."""

    def fit(self, X, y=None, estimator=None):
        """Fit a boosted classifier, then the strategy around it."""
        return super().fit(X, y, clone(STAGED).fit(X, y))


PREDICTS_ITS_LOSS = LossPredictingClassifier(DENSE, hidden_size=8, random_state=0)


class PredictedLossOfDenseClassifier(PredictedLoss):
    """Predicted losses with a classifier of its own."""

    def fit(self, X, y=None, estimator=None):
        """Fit a classifier that predicts its loss, then the strategy around it."""
        return super().fit(X, y, clone(PREDICTS_ITS_LOSS).fit(X, y))


COMMITTEE = Committee(
    LogisticRegression(), n_estimators=5, bootstrap=True, random_state=0
)


class FitsItsCommittee:
    """The same with a committee, for a strategy that reads samples."""

    def fit(self, X, y=None, estimator=None):
        """Fit a committee, then the strategy around it."""
        return super().fit(X, y, clone(COMMITTEE).fit(X, y))


class VoteEntropyOfCommittee(FitsItsCommittee, VoteEntropy):
    """Vote entropy with a classifier of its own."""


class ConsensusEntropyOfCommittee(FitsItsCommittee, ConsensusEntropy):
    """Consensus entropy with a classifier of its own."""


class EntropyOfCommittee(FitsItsCommittee, Entropy):
    """Entropy with a committee of its own."""


class KLDivergenceOfCommittee(FitsItsCommittee, KLDivergence):
    """KL divergence with a classifier of its own."""


class BALDOfCommittee(FitsItsCommittee, BALD):
    """BALD with a classifier of its own."""


class BatchBALDOfCommittee(FitsItsCommittee, BatchBALD):
    """BatchBALD with a classifier of its own."""


class MeanSTDOfCommittee(FitsItsCommittee, MeanSTD):
    """Mean STD with a classifier of its own."""


class VariationRatioOfCommittee(FitsItsCommittee, VariationRatio):
    """The variation ratio with a classifier of its own."""


class UPSOfLogisticRegression(FitsItsClassifier, UPS):
    """UPS with a classifier of its own."""


class SEALSOfLogisticRegression(FitsItsClassifier, SEALS):
    """SEALS with a classifier of its own."""


# Enough for a check, too few to learn anything.
FEW_STEPS = {
    "n_components": 3,
    "hidden_layer_sizes": (5,),
    "n_steps": 3,
    "batch_size": 8,
    "device": "cpu",
    "random_state": 0,
}
ESTIMATORS = [
    ActiveLearner(LogisticRegression(), random_state=0),
    ActiveLearner(LogisticRegression(), AnchorAL(Entropy()), random_state=0),
    EntropyOfLogisticRegression(),
    LeastConfidenceOfLogisticRegression(),
    MarginOfLogisticRegression(),
    BADGEOfDenseClassifier(random_state=0),
    AnchorALOfLogisticRegression(Entropy(), random_state=0),
    AnchorALOfLogisticRegression(anchors="entropy", random_state=0),
    REALOfDenseClassifier(n_clusters=3, random_state=0),
    AcTuneOfDenseClassifier(n_clusters=3, random_state=0),
    DiscriminativeALOfDenseClassifier(
        hidden_layer_sizes=(5,),
        max_epochs=2,
        batch_size=8,
        device="cpu",
        random_state=0,
    ),
    VAALOfDenseClassifier(**FEW_STEPS),
    MALOfDenseClassifier(**FEW_STEPS),
    VAAL(encoder=FunctionTransformer(validate=True), **FEW_STEPS),
    CartographyALOfDenseClassifier(t_cor=0.8, device="cpu", random_state=0),
    ForgettingEventsOfDenseClassifier(n_neighbors=3),
    LabelDispersionOfStages(),
    PredictedLossOfDenseClassifier(),
    CoreSetOfDenseClassifier(),
    BertKM(encoder=FunctionTransformer(validate=True), random_state=0),
    FTBertKMOfDenseClassifier(random_state=0),
    PLMKMOfDenseClassifier(random_state=0),
    DiverseMiniBatchOfDenseClassifier(random_state=0),
    SuggestiveAnnotationOfDenseClassifier(),
    ExpectedGradientLengthOfDenseClassifier(),
    ContrastiveALOfDenseClassifier(),
    DENSE,
    PoolRecorder(DENSE),
    PREDICTS_ITS_LOSS,
    HEADS,
    SplitHeadClassifier(DENSE, head_size=5, stochastic=True, random_state=0),
    BAYES,
    COMMITTEE,
    Committee(LogisticRegression(), random_state=0),
    Committee(LinearSVC(), n_estimators=3, random_state=0),
    Committee(DENSE, n_estimators=2, stochastic=True, random_state=0),
    SnapshotEnsemble(DENSE, n_estimators=2, random_state=0),
    SnapshotEnsemble(DENSE, n_estimators=2, stochastic=True, random_state=0),
    DiverseEnsemble(DENSE, n_estimators=2, random_state=0),
    PseudoLabelClassifier(LogisticRegression(), random_state=0),
    PseudoLabelClassifier(DENSE, rule="regions", random_state=0),
    CEAL(LogisticRegression(), random_state=0),
    VoteEntropyOfCommittee(),
    ConsensusEntropyOfCommittee(),
    EntropyOfCommittee(n_samples=5),
    KLDivergenceOfCommittee(),
    KLDivergenceOfCommittee(kind="max"),
    BALDOfCommittee(),
    BatchBALDOfCommittee(random_state=0),
    MeanSTDOfCommittee(),
    VariationRatioOfCommittee(),
    SEALS(RandomSampling(random_state=0), n_neighbors=3),
    SEALSOfLogisticRegression(n_neighbors=3),
    RandomSampling(random_state=0),
    ViaProxy(Entropy(), LogisticRegression()),
    Combine([RandomSampling(random_state=0), RandomSampling(random_state=1)]),
    PowerSampling(RandomSampling(random_state=0), random_state=0),
    ClassBalancedOfLogisticRegression(),
    RandSub(RandomSampling(random_state=0), max_subpool=5, random_state=0),
    KMeansSub(RandomSampling(random_state=0), n_clusters=3, random_state=0),
    UPSOfLogisticRegression(RandomSampling(random_state=0), random_state=0),
    UPS(RandomSampling(random_state=0), scorer=LogisticRegression(), random_state=0),
    QueryPipeline(
        [
            ("sub", RandSub(random_state=0)),
            ("anchors", AnchorAL(random_state=0)),
            ("pick", RandomSampling(random_state=0)),
        ]
    ),
]

# Not claimed: dispatch on array API namespaces.
NOT_CLAIMED = {"check_array_api_input"}

# What random scores cannot keep: they belong to positions, not to rows. (BADGE and
# k-means draw by positions too, but what they represent rows by belongs to rows.)
OF_ROWS = (BADGE, BertKM, FTBertKM, PLMKM, DiverseMiniBatch)
BY_POSITION = {
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
}
# Those checks set one component, where MAL's features are one of two points, and its
# ranks may agree or not.
BY_CHANCE = (MALOfDenseClassifier,)


def name_of(check):
    return getattr(check, "func", check).__name__


CHECKS = [
    pytest.param(estimator, check, id=f"{estimator!r}-{name_of(check)}")
    for estimator in ESTIMATORS
    for _, check in estimator_checks_generator(estimator)
    if name_of(check) not in NOT_CLAIMED
    and not (isinstance(estimator, BY_CHANCE) and name_of(check) in BY_POSITION)
]


# One of the checks fits on a single class, which is allowed here, with a warning.
@pytest.mark.filterwarnings("ignore::skal.exceptions.SingleClassWarning")
@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_scikit_learn_checks(estimator, check):
    np.random.seed(0)  # some checks shuffle with the global generator
    draws = getattr(estimator, "draws_from_pool", False)
    if draws and not isinstance(estimator, OF_ROWS) and name_of(check) in BY_POSITION:
        with pytest.raises(AssertionError, match="invariant"):
            check(estimator)
    else:
        check(estimator)


STRATEGIES = [
    RandomSampling(random_state=0),
    Entropy(),
    LeastConfidence(),
    Margin(),
    BADGE(random_state=0),
    RandSub(BADGE(random_state=0), max_subpool=30, random_state=0),
    RandSub(Entropy(), max_subpool=10, random_state=0),
    AnchorAL(Entropy(), n_anchors=3, n_neighbors=4, max_subpool=20, random_state=0),
    AnchorAL(anchors="entropy", n_anchors=2, max_search_size=9, random_state=0),
    AnchorAL(n_neighbors=4, max_subpool=20, index="hnsw", random_state=0),
    RandSub(AnchorAL(Entropy(), random_state=1), max_subpool=50, random_state=0),
    SEALS(Entropy(), n_neighbors=2),
    SEALS(n_neighbors=1, index="ivf"),
    RandSub(SEALS(Entropy(), n_neighbors=3), max_subpool=50, random_state=0),
    SEALS(RandSub(Entropy(), max_subpool=20, random_state=0)),
    UPS(random_state=0),
    UPS(Entropy(), gamma=0.3, temperature=0.2, every=1, random_state=0),
    UPS(scorer=LogisticRegression(), uncertainty="margin", random_state=0),
    RandSub(UPS(random_state=0), max_subpool=50, random_state=0),
    ViaProxy(UPS(gamma=0.5, random_state=0), LogisticRegression()),
    KMeansSub(random_state=0),
    KMeansSub(Margin(), n_clusters=4, n_per_cluster=3, random_state=0),
    UPS(KMeansSub(n_clusters=5, random_state=0), gamma=0.5, random_state=0),
    QueryPipeline(
        [("seals", SEALS(n_neighbors=3)), ("none", "passthrough"), ("pick", Entropy())]
    ),
    QueryPipeline(
        [
            ("sub", RandSub(max_subpool=50, random_state=0)),
            ("none", "passthrough"),
            ("anchors", AnchorAL(n_neighbors=5, random_state=0)),
            ("pick", Entropy()),
        ]
    ),
    *(
        REAL(n_clusters=5, variant=variant, compat=compat, random_state=0)
        for variant in ("real", "pool", "uniform", "cluster", "entropy")
        for compat in (None, "reference")
    ),
    RandSub(REAL(random_state=0), max_subpool=30, random_state=0),
    ViaProxy(BADGE(random_state=0), LogisticRegression()),
    ViaProxy(AnchorAL(n_neighbors=5, random_state=0), LogisticRegression()),
    Combine([Entropy(), RandomSampling(random_state=0)], shares=[2, 1]),
    Combine([AnchorAL(random_state=0), ClassBalanced(Margin())]),
    PowerSampling(Margin(), random_state=0),
    PowerSampling(kind="softrank", beta=2, random_state=0),
    ClassBalanced(),
    ClassBalanced(BADGE(random_state=0)),
    CoreSet(),
    SEALS(CoreSet(), n_neighbors=3),
    BertKM(random_state=0),
    RandSub(BertKM(random_state=0), max_subpool=30, random_state=0),
    FTBertKM(random_state=0),
    PLMKM(random_state=0),
    DiverseMiniBatch(prefilter_factor=3, random_state=0),
    DiverseMiniBatch(weighted=False, random_state=0),
    SuggestiveAnnotation(),
    SuggestiveAnnotation(RandomSampling(random_state=0), prefilter_factor=5),
    ExpectedGradientLength(),
    ExpectedGradientLength(bias=False),
    *(ContrastiveAL(aggregate=how) for how in ("mean", "max", "median")),
    AnchorAL(ContrastiveAL(n_neighbors=3), n_neighbors=20, random_state=0),
    *(
        AcTune(n_clusters=5, uncertainty=uncertainty, compat=compat, random_state=0)
        for uncertainty in ("entropy", "contrastive")
        for compat in (None, "reference")
    ),
    AcTune(n_clusters=5, n_per_region=2, max_share=0.3, random_state=0),
    RandSub(AcTune(random_state=0), max_subpool=30, random_state=0),
    VAAL(**FEW_STEPS),
    VAAL(encoder="auto", **FEW_STEPS),
    MAL(**FEW_STEPS),
    RandSub(MAL(**FEW_STEPS), max_subpool=30, random_state=0),
    AnchorAL(VAAL(**FEW_STEPS), n_neighbors=5, random_state=0),
    DiscriminativeAL(
        hidden_layer_sizes=(5,), max_epochs=3, device="cpu", random_state=0
    ),
    RandSub(
        DiscriminativeAL(n_sub_batches=2, max_epochs=3, device="cpu", random_state=0),
        max_subpool=30,
        random_state=0,
    ),
]


# A proxy that sees one class is replaced by a constant, with a warning.
@pytest.mark.filterwarnings("ignore::skal.exceptions.SingleClassWarning")
@pytest.mark.parametrize("strategy", STRATEGIES, ids=repr)
def test_strategies_keep_their_promises_on_vectors(strategy):
    check_query_strategy(strategy)


# Strategies that read what a network recorded while it was trained.
OF_TRAINING = [
    CartographyAL(t_cor=0.8, device="cpu", random_state=0),
    CartographyAL(t_cor=0.8, binned=True, lr=0.01, device="cpu", random_state=0),
    RandSub(
        CartographyAL(device="cpu", random_state=0), max_subpool=30, random_state=0
    ),
    ForgettingEvents(),
    ForgettingEvents(n_neighbors=1, never_learned=0),
    RandSub(ForgettingEvents(n_neighbors=3), max_subpool=30, random_state=0),
]


@pytest.mark.parametrize("strategy", OF_TRAINING, ids=repr)
def test_strategies_of_training_keep_their_promises(strategy):
    check_query_strategy(strategy, estimator=DENSE)


# Strategies that read what was predicted of the pool meanwhile.
OF_RECORDS = [
    LabelDispersion(),
    RandSub(LabelDispersion(), max_subpool=30, random_state=0),
    PowerSampling(LabelDispersion(), random_state=0),
]


@pytest.mark.parametrize("strategy", OF_RECORDS, ids=repr)
def test_strategies_of_records_keep_their_promises(strategy):
    check_query_strategy(strategy, estimator=PoolRecorder(DENSE, every=2))


def test_label_dispersion_keeps_its_promises_with_stages():
    check_query_strategy(LabelDispersion(), estimator=STAGED)


# Strategies that read the loss that the classifier predicts.
OF_LOSSES = [
    PredictedLoss(),
    RandSub(PredictedLoss(), max_subpool=30, random_state=0),
    AnchorAL(PredictedLoss(), n_anchors=3, n_neighbors=4, random_state=0),
    Combine([PredictedLoss(), Entropy()]),
]


@pytest.mark.parametrize("strategy", OF_LOSSES, ids=repr)
def test_strategies_of_losses_keep_their_promises(strategy):
    check_query_strategy(strategy, estimator=PREDICTS_ITS_LOSS)


@pytest.mark.parametrize(
    "strategy", [OF_TRAINING[0], REAL(random_state=0), BALD()], ids=repr
)
def test_strategies_see_through_a_wrapper(strategy):
    wrapper = PseudoLabelClassifier(DENSE, threshold=0.69)
    check_query_strategy(strategy, estimator=wrapper)


# Strategies that read samples, of a committee or of dropout masks.
OF_SAMPLES = [
    VoteEntropy(),
    ConsensusEntropy(),
    KLDivergence(),
    KLDivergence(kind="max"),
    BALD(),
    BatchBALD(random_state=0),
    BatchBALD(n_samples=3, max_configurations=10, random_state=0),
    MeanSTD(),
    VariationRatio(),
    VariationRatio(kind="mean"),
    Entropy(n_samples=4),
    LeastConfidence(n_samples=4),
    Margin(n_samples=4),
    RandSub(BatchBALD(random_state=0), max_subpool=30, random_state=0),
    AnchorAL(BALD(), n_anchors=3, n_neighbors=4, max_subpool=20, random_state=0),
]


@pytest.mark.parametrize("estimator", [COMMITTEE, DENSE], ids=["committee", "dropout"])
@pytest.mark.parametrize("strategy", OF_SAMPLES, ids=repr)
def test_strategies_of_samples_keep_their_promises(strategy, estimator):
    check_query_strategy(strategy, estimator=estimator)


@pytest.mark.parametrize("strategy", [BALD(), VoteEntropy()], ids=repr)
@pytest.mark.parametrize(
    "cls", [SnapshotEnsemble, DiverseEnsemble], ids=lambda cls: cls.__name__
)
def test_strategies_of_samples_keep_their_promises_with_ensembles(cls, strategy):
    check_query_strategy(strategy, estimator=cls(DENSE, n_estimators=2, random_state=0))


@pytest.mark.parametrize("estimator", [HEADS, BAYES], ids=["heads", "bayes"])
@pytest.mark.parametrize("strategy", [VoteEntropy(), BALD()], ids=repr)
def test_strategies_of_last_layers_keep_their_promises(strategy, estimator):
    check_query_strategy(strategy, estimator=estimator)


# Strategies that read what a pretrained language model says of texts.
OF_TEXTS = [
    ALPS(random_state=0),
    ALPS(token_share=0.5, masked=True, clustering="k-means++", random_state=0),
    RandSub(ALPS(random_state=0), max_subpool=30, random_state=0),
]


@pytest.mark.parametrize("strategy", OF_TEXTS, ids=repr)
def test_strategies_of_texts_keep_their_promises(strategy, toy_texts):
    classifier = TransformerClassifier(
        "skal-tiny", max_epochs=1, min_steps=0, device="cpu", random_state=0
    )
    X, y = toy_texts
    check_query_strategy(strategy, estimator=classifier, X=X, y=y)
