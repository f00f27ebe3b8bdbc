# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What is in a batch: other strategies' picks, tokens, uncertainty, training."""

import numpy as np
from sklearn.utils import Bunch

from skal.functional import data_map, entropy
from skal.metrics._checks import check_rows


def batch_overlap(batches_a, batches_b):
    r"""How many rows two strategies both asked for.

    .. math:: o_t = |A_t \cap B_t|, \qquad
        o = \Bigl| \bigcup_t A_t \cap \bigcup_t B_t \Bigr|

    Parameters
    ----------
    batches_a, batches_b : sequences of array-like of int
        The rows asked for in each round, by one identity per row that holds in all
        rounds: positions in the initial pool, as in the `rows` of
        :func:`~skal.simulate`, or ids.

    Returns
    -------
    per_round : ndarray of shape (n_rounds,), dtype int64
        Rows that are in both batches of a round.
    total : int
        Rows that both asked for, in whatever rounds.

    Raises
    ------
    ValueError
        If the numbers of rounds differ, or a row comes twice on one side: no row is
        asked for twice, so that these are no identities.

    Notes
    -----
    O(n log n) time for n rows asked for. The numbers in Table 4 of the paper are sums
    over five seeds of such counts; in its code rows are numbered by their position in
    the shrinking pool, plus an offset, so that they are not the overlaps of the rows.

    References
    ----------
    M. Zhang, B. Plank. Cartography Active Learning. Findings of EMNLP 2021, Table 4.
    :doi:`10.18653/v1/2021.findings-emnlp.36`

    Examples
    --------
    >>> from skal.metrics import batch_overlap
    >>> per_round, total = batch_overlap([[3, 5], [8, 1]], [[5, 1], [8, 9]])
    >>> per_round.tolist(), total
    ([1, 1], 3)
    """
    batches_a = _check_batches(batches_a, "batches_a")
    batches_b = _check_batches(batches_b, "batches_b")
    if len(batches_a) != len(batches_b):
        raise ValueError(
            "batches_a and batches_b must have the same rounds. Got "
            f"{len(batches_a)} and {len(batches_b)}; cut the longer one."
        )
    pairs = zip(batches_a, batches_b, strict=True)
    per_round = [len(np.intersect1d(a, b)) for a, b in pairs]
    total = np.intersect1d(_joined(batches_a), _joined(batches_b))
    return np.array(per_round, dtype=np.int64), len(total)


def _check_batches(batches, name):
    batches = [np.asarray(batch) for batch in batches]
    if any(batch.ndim != 1 for batch in batches):
        raise ValueError(
            f"{name} must be a sequence of batches, one per round, each a sequence of "
            f"rows. Got shapes {[batch.shape for batch in batches[:3]]}; wrap a single "
            "batch in a list."
        )
    ids, counts = np.unique(_joined(batches), return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"{name} must name each row by one identity that holds in all rounds. Got "
            f"{ids[counts > 1][0]!r} more than once; pass positions in the initial "
            "pool, not in what was left of it."
        )
    return batches


def _joined(batches):
    full = [batch for batch in batches if len(batch)]
    return np.concatenate(full) if full else np.empty(0, dtype=np.int64)


def token_diversity(tokens, rows, *, exclude=()):
    r"""How much of the pool's vocabulary a batch covers (:math:`G_d` of ALPS).

    The Jaccard similarity of the tokens in the batch D and those in the rest of the
    pool:

    .. math:: G_d(D) = \frac{|V_D \cap V_{U \setminus D}|}{|V_D \cup V_{U \setminus D}|}

    Parameters
    ----------
    tokens : array-like of int of shape (n, L), or sequence of n sequences of int
        The token ids of each text of the pool, padded or not.
    rows : array-like of int of shape (b,)
        The batch: positions in the pool.
    exclude : array-like of int, default=()
        Token ids that do not count, a tokenizer's `all_special_ids` for example. The
        authors' code excludes none: padding and special tokens, which all texts share,
        raise the similarity a little.

    Returns
    -------
    float
        Between 0 and 1; nan where no token counts.

    Raises
    ------
    ValueError
        If `tokens` is not as above, or `rows` is not a batch.

    Notes
    -----
    O(n L) time, and memory for the largest token id. In the paper the pool is the
    training set. Larger batches cover more: compare batches of one size.

    References
    ----------
    M. Yuan, H.-T. Lin and J. Boyd-Graber. Cold-start Active Learning through
    Self-supervised Language Modeling. EMNLP 2020, equation 3.
    :doi:`10.18653/v1/2020.emnlp-main.637`

    Examples
    --------
    >>> from skal.metrics import token_diversity
    >>> tokens = [[101, 7, 8], [101, 8, 9], [101, 5, 0]]
    >>> round(token_diversity(tokens, rows=[0]), 3)
    0.333
    >>> token_diversity(tokens, rows=[0], exclude=[0, 101])
    0.25
    """
    texts = [np.asarray(text) for text in tokens]
    rows = check_rows(rows, len(texts))
    for row, text in enumerate(texts):
        if text.ndim != 1 or (len(text) and (text.dtype.kind not in "iu")):
            raise ValueError(
                "tokens must hold the token ids of each text, integers. Row "
                f"{row} has dtype {text.dtype} and shape {text.shape}; take "
                "tokenizer(texts)['input_ids']."
            )
        if len(text) and text.min() < 0:
            raise ValueError(f"Token ids must be at least 0. Row {row}: {text.min()}.")
    chosen = np.zeros(len(texts), dtype=bool)
    chosen[rows] = True
    n_ids = 1 + max((int(text.max()) for text in texts if len(text)), default=0)
    of_batch, of_rest = np.zeros((2, n_ids), dtype=bool)
    for text, is_chosen in zip(texts, chosen, strict=True):
        (of_batch if is_chosen else of_rest)[text.astype(np.int64)] = True
    counts = ~np.isin(np.arange(n_ids), np.asarray(exclude, dtype=np.int64))
    n_both = (of_batch & of_rest & counts).sum()
    n_any = ((of_batch | of_rest) & counts).sum()
    return float(n_both / n_any) if n_any else float("nan")


def batch_uncertainty(proba):
    r"""Mean predictive entropy of a batch (:math:`G_u` of ALPS), in nats.

    .. math:: G_u(D) = \frac 1{|D|} \sum_{x \in D} \sum_{c} p_c(x) \ln \frac 1{p_c(x)}

    Parameters
    ----------
    proba : array-like of shape (b, C)
        What a classifier trained on the whole training set, not on what was labelled so
        far, predicts of the rows of the batch.

    Returns
    -------
    float
        Between 0 and log C.

    Raises
    ------
    ValueError
        If there is no row, or an entry is not a probability.

    Notes
    -----
    O(b C) time.

    References
    ----------
    M. Yuan, H.-T. Lin and J. Boyd-Graber. Cold-start Active Learning through
    Self-supervised Language Modeling. EMNLP 2020, equation 4.
    :doi:`10.18653/v1/2020.emnlp-main.637`

    Examples
    --------
    >>> from skal.metrics import batch_uncertainty
    >>> round(batch_uncertainty([[0.5, 0.5], [1.0, 0.0]]), 4)
    0.3466
    """
    scores = entropy(proba)
    if not len(scores):
        raise ValueError("proba must hold the rows of a batch, at least one. Got none.")
    return float(scores.mean())


def batch_data_map(gold_proba, correct, rows):
    r"""Where training with a batch put that batch on the data map, on average.

    The means over the batch of :func:`~skal.functional.data_map`'s confidence,
    variability and correctness, of the training that first had the batch in it.

    Parameters
    ----------
    gold_proba : array-like of shape (E, n)
        Probability of each training row's own label in each epoch: `gold_proba` in the
        `training_dynamics_` of a classifier, after it was taught the batch.
    correct : array-like of shape (E, n)
        Whether that label was predicted; `correct` there.
    rows : array-like of int of shape (b,)
        The batch: positions in the training set. Rows that were just taught are its
        last ones.

    Returns
    -------
    means : :class:`~sklearn.utils.Bunch`
        confidence, variability, correctness : float

    Raises
    ------
    ValueError
        If the shapes differ, an entry is not a probability, or `rows` is not a batch.

    Notes
    -----
    O(E n) time. Correctness is the share of epochs; the authors' code rounds it to
    fifths. There are no such numbers of the last batch of a run if nothing is trained
    on it.

    References
    ----------
    M. Zhang, B. Plank. Cartography Active Learning. Findings of EMNLP 2021, Figure 4.
    :doi:`10.18653/v1/2021.findings-emnlp.36`

    Examples
    --------
    >>> from skal.metrics import batch_data_map
    >>> gold_proba = [[0.9, 0.2, 0.4], [0.9, 0.6, 0.6]]
    >>> means = batch_data_map(gold_proba, [[1, 0, 0], [1, 1, 1]], rows=[1, 2])
    >>> round(means.confidence, 2), round(means.variability, 2), means.correctness
    (0.45, 0.15, 0.5)
    """
    names = "confidence", "variability", "correctness"
    statistics = data_map(gold_proba, correct)
    rows = check_rows(rows, len(statistics[0]))
    means = [float(values[rows].mean()) for values in statistics]
    return Bunch(**dict(zip(names, means, strict=True)))
