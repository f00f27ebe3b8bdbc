# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What there is to choose from."""

from sklearn.linear_model import LogisticRegression

import skal.strategies
from skal._strategy import read_once_fitted

_LOOK = "a look at the pool + "
_SAMPLES = "T looks at the pool + O(T n C)"
_SCORES = "scores, and picks where no tie runs through the cut"
_TIES = "ties by lower row"

# name: family, time, memory beside what is read, paper, what agrees with the authors'
# code, in what we deviate from it. n pool rows, L labelled, b picked, C classes, d
# dimensions, T samples or recorded epochs, K clusters, h units in
# a layer of a network.
_CARDS = {
    "RandomSampling": (
        "baseline",
        "O(n)",
        "O(n)",
        "",
        "each row equally often",
        "",
    ),
    "Entropy": (
        "uncertainty",
        _LOOK + "O(n C)",
        "O(n)",
        "Lewis and Gale 1994",
        _SCORES,
        _TIES,
    ),
    "LeastConfidence": (
        "uncertainty",
        _LOOK + "O(n C)",
        "O(n)",
        "Lewis and Gale 1994",
        _SCORES,
        _TIES,
    ),
    "Margin": (
        "uncertainty",
        _LOOK + "O(n C)",
        "O(n)",
        "Scheffer et al. 2001",
        _SCORES,
        _TIES,
    ),
    "VoteEntropy": (
        "disagreement",
        _SAMPLES,
        "O(n C)",
        "Dagan and Engelson 1995",
        _SCORES,
        _TIES,
    ),
    "ConsensusEntropy": (
        "disagreement",
        _SAMPLES,
        "O(n C)",
        "Gal et al. 2017",
        _SCORES,
        _TIES,
    ),
    "KLDivergence": (
        "disagreement",
        _SAMPLES,
        "O(n C)",
        "McCallum and Nigam 1998",
        _SCORES,
        "probabilities are not clipped",
    ),
    "BALD": (
        "disagreement",
        _SAMPLES,
        "O(n C)",
        "Houlsby et al. 2011",
        _SCORES,
        "0 log 0 = 0; the codes of REAL, CAL and Cartography AL rank by something else",
    ),
    "MeanSTD": (
        "disagreement",
        _SAMPLES,
        "O(n C)",
        "Gal et al. 2017",
        _SCORES,
        _TIES,
    ),
    "VariationRatio": (
        "disagreement",
        _SAMPLES,
        "O(n C)",
        "Beluch et al. 2018; Gal et al. 2017",
        _SCORES,
        _TIES,
    ),
    "BatchBALD": (
        "disagreement",
        _SAMPLES + " + O(m b T C configurations), m rows looked at again",
        "a block",
        "Kirsch et al. 2019",
        "picks, as long as the joint entropy is exact",
        "configurations are drawn once per batch where it is not",
    ),
    "BADGE": (
        "gradient",
        _LOOK + "O(n b (C + d)) at most",
        "O(n)",
        "Ash et al. 2020",
        "gradients, the first row, and all rows given the same draws",
        "draws uniformly where no gradient is left; the authors' code stops",
    ),
    "ExpectedGradientLength": (
        "gradient",
        _LOOK + "O(n (C + d))",
        "O(n)",
        "Settles et al. 2007",
        "scores of the last layer, by automatic differentiation",
        "the last layer's gradient only",
    ),
    "REAL": (
        "errors",
        _LOOK + "O(n K d + n C)",
        "O(n + K d)",
        "Chen et al. 2023",
        'picks of all variants, with compat="reference"; by the paper otherwise',
        "the paper's text by default",
    ),
    "CartographyAL": (
        "training",
        "a look at pool and labelled rows + a small network",
        "O(n)",
        "Zhang and Plank 2021",
        "labels of the small network, and picks given its output",
        "correctness is not rounded; entropy where one kind of rows is absent",
    ),
    "LabelDispersion": (
        "training",
        "a look at the pool after each epoch of training, then O(T n)",
        "O(T n), one byte each",
        "Bengar et al. 2021",
        "scores (no code of the authors')",
        "rows that were not recorded come last",
    ),
    "ForgettingEvents": (
        "training",
        "a look at pool and labelled rows + O(n L d)",
        "O(n)",
        "Toneva et al. 2019",
        "counts of the labelled rows",
        "hands the counts on to near rows of the pool, which is our own idea",
    ),
    "PredictedLoss": (
        "training",
        _LOOK + "O(n)",
        "O(n)",
        "Yoo and Kweon 2019",
        "the module's output and its ranking loss (published code, not the authors')",
        "one token's state of each layer; the whole pool, or what a filter leaves",
    ),
    "CoreSet": (
        "coverage",
        "a look at pool and labelled rows + O(n d (L + b))",
        "O(n)",
        "Sener and Savarese 2018",
        "picks, in order",
        "without the robust version",
    ),
    "BertKM": (
        "coverage",
        "encodes once, then O(n d b)",
        "O(n d)",
        "Yuan et al. 2020",
        "picks given the centres",
        "mean-pooled vectors by default; one k-means of 25 iterations",
    ),
    "FTBertKM": (
        "coverage",
        _LOOK + "O(n d b)",
        "O(n d)",
        "Yuan et al. 2020",
        "picks given the centres",
        "one k-means of 25 iterations",
    ),
    "PLMKM": (
        "coverage",
        _LOOK + "O(n d b)",
        "O(n)",
        "Chen et al. 2023",
        "picks given the centres",
        "one k-means of 25 iterations",
    ),
    "DiverseMiniBatch": (
        "coverage",
        _LOOK + "O(n C + m d b), m candidates",
        "O(m d)",
        "Zhdanov 2019",
        "picks given the centres (no code of the author's)",
        "",
    ),
    "SuggestiveAnnotation": (
        "coverage",
        _LOOK + "O(n d m), m candidates",
        "4 m n bytes",
        "Yang et al. 2017",
        "picks (no code of the authors')",
        "any uncertainty, not that of a bootstrapped ensemble only",
    ),
    "ContrastiveAL": (
        "contrast",
        "a look at pool and labelled rows + O(n L (d + C))",
        "O(n)",
        "Margatina et al. 2021",
        _SCORES,
        "fewer labelled rows than neighbours are allowed",
    ),
    "DiscriminativeAL": (
        "contrast",
        "a look at pool and labelled rows + a small network per part of the batch",
        "O(n)",
        "Gissin and Shalev-Shwartz 2019",
        "picks given the network's output",
        "weighs its two classes alike, and picks from the whole pool",
    ),
    "VAAL": (
        "adversarial",
        "a look at pool and labelled rows + small networks + O(n h (d + h))",
        "O(n)",
        "Sinha et al. 2019",
        "each loss up to its weights, and picks given the discriminator's output",
        "the paper's bound in place of the code's mean squares and summed divergences; "
        "beta is 0.1",
    ),
    "MAL": (
        "adversarial",
        "a look at pool and labelled rows + small networks + O(n h (d + h))",
        "O(n)",
        "Ebrahimi et al. 2020",
        "each loss (no code of the authors')",
        "experimental: what the paper leaves open is chosen; ranks in place of a gate",
    ),
    "AcTune": (
        "regions",
        _LOOK + "O(n K d)",
        "O(n C)",
        "Yu et al. 2022",
        'scores of regions, and picks with compat="reference"',
        "the paper's text by default",
    ),
    "ALPS": (
        "cold start",
        "surprisal once, then O(n L b)",
        "4 L bytes a text",
        "Yuan et al. 2020",
        "surprisal embeddings, and picks given the centres",
        "tokens drawn by seed and text; one k-means of 25 iterations",
    ),
    "ClassBalanced": (
        "composition",
        "that of the strategy inside",
        "O(n)",
        "",
        "",
        "",
    ),
    "Combine": (
        "composition",
        "those of the strategies inside",
        "O(n)",
        "Zhang and Plank 2021, section 5",
        "",
        "",
    ),
    "PowerSampling": (
        "composition",
        "that of the strategy inside + O(n)",
        "O(n)",
        "Kirsch et al. 2023",
        "the law of the draws",
        "negative scores are shifted",
    ),
    "ViaProxy": (
        "composition",
        "a fit of the proxy, then that of the strategy inside",
        "O(1)",
        "Coleman et al. 2020",
        "picks",
        "0 log 0 = 0",
    ),
}
_COLUMNS = ("family", "time", "memory", "paper", "agreement", "deviations")


def list_strategies(family=None):
    """List the strategies of this library and what each is about.

    Parameters
    ----------
    family : str, default=None
        One of "baseline", "uncertainty", "disagreement", "gradient", "errors",
        "training", "coverage", "contrast", "adversarial", "regions", "cold start" and
        "composition". None lists all.

    Returns
    -------
    strategies : list of dict
        One per strategy, family by family, with the keys "name", "class", "family",
        "reads" (what it asks of the classifier, sorted names as in
        :class:`~skal.base.Reads`; of strategies made of strategies: with
        :class:`Entropy` inside), "cold_start" (whether it can be queried before any
        label exists), "time" and "memory" (n pool rows, L labelled ones, b picked, C
        classes, d dimensions, h units in a layer, T samples or epochs; memory beside
        what it reads), "paper", "agreement" (what equals the authors' results on their
        own inputs) and "deviations".

    Raises
    ------
    ValueError
        If there is no such family.

    Examples
    --------
    >>> from skal.strategies import list_strategies
    >>> [strategy["name"] for strategy in list_strategies("uncertainty")]
    ['Entropy', 'LeastConfidence', 'Margin']
    """
    families = list(dict.fromkeys(card[0] for card in _CARDS.values()))
    if family is not None and family not in families:
        raise ValueError(f"family must be one of {families}. Got {family!r}.")
    return [
        _describe(name) for name, card in _CARDS.items() if family in (None, card[0])
    ]


def _describe(name):
    strategy = _example(name)
    reads = strategy.reads
    needs_model = [read_once_fitted(s) for s in (strategy, *strategy._inside())]
    return {
        "name": name,
        "class": type(strategy),
        "reads": sorted(reads.pool | reads.labeled),
        "cold_start": not any(needs_model),
        **dict(zip(_COLUMNS, _CARDS[name], strict=True)),
    }


def _example(name):
    """The strategy with its defaults; what has none is given the simplest there is."""
    cls = getattr(skal.strategies, name)
    needed = {
        "Combine": lambda: cls([skal.strategies.Entropy()]),
        "ViaProxy": lambda: cls(None, LogisticRegression()),
    }
    return needed.get(name, cls)()
