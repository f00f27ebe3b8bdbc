# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""ALPS: texts that surprise the language model in different ways."""

from numbers import Real

import numpy as np
from sklearn.cluster import kmeans_plusplus

from skal.base import Reads
from skal.functional import surprisal_embedding
from skal.strategies._embedding_k_means import _EmbeddingKMeans, central_rows
from skal.utils._sklearn import Interval, StrOptions


class ALPS(_EmbeddingKMeans):
    r"""Pick texts that surprise a pretrained masked language model in different ways.

    Needs no label and no fitted classifier (cold start). Of each text some tokens are
    drawn; how unexpected they are to the pretrained model is the text's surprisal
    embedding,

    .. math:: s_j = -\log p(w_j \mid x), \text{ or 0 where token } j \text{ was not
        drawn,}

    scaled to length 1. These vectors are clustered by k-means into as many clusters as
    rows are due, and the row nearest to each centre is picked.

    Parameters
    ----------
    token_share : float, default=0.15
        The probability with which a token is drawn (the paper's ALPS-tokens-p: 0.1,
        0.2, 1). Special tokens never are.
    masked : bool, default=False
        Whether the model reads the texts with the tokens drawn corrupted as in its
        pretraining: 80 % masked, 10 % replaced by any token (the paper's ALPS-masked).
    clustering : {"k-means", "k-means++"}, default="k-means"
        "k-means++" picks the seeds that k-means would start from, drawn one by one with
        probability in proportion to the squared distance to the nearest one before.
    random_state : int, RandomState instance or None, default=None
        Decides which tokens are drawn, and seeds the clusters. None takes the learner's
        seed. The tokens of a text are the same in every round, whatever else is in the
        pool; the clusters are drawn anew.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`; fitted or not.
    encoder_ : None
        ALPS asks for no encoder, but for a language model.
    seed_ : int
        Seed used when `random_state` is None.

    See Also
    --------
    skal.functional.surprisal_embedding : The vectors.
    skal.TransformerClassifier.token_surprisal : What they are made of.
    BertKM : Clusters of another kind of vectors.

    Notes
    -----
    `transform` gives the surprisal embeddings. The classifier is asked for
    `token_surprisal`; its checkpoint must have the masked-language-model head that it
    was pretrained with.

    The first query runs the pretrained encoder over each distinct text once, and its
    head on the tokens drawn only; the surprisal is kept with the pool object, 4 L bytes
    a text of up to L tokens. So iterative use (a batch in every round) costs no more
    passes than a single batch. Then O(n L n_queries) time in each of 25 k-means
    iterations, and one more array of that size. As in the paper, rows picked before are
    left out and have no other influence.

    A text of which no token was drawn, one in seven of 12 tokens, has a vector of
    zeros. These texts are one cluster, from which one row comes. Where there are fewer
    distinct vectors than rows due the rest is drawn at random.

    Where the authors' code differs:

    * the tokens are drawn from the global generator, anew in every round, and depend on
      the company a text has in its batch; here on the seed and the text;
    * k-means runs once here, in 25 iterations; there ten times (scikit-learn 0.22's
      default), each up to 300 iterations;
    * where one row is nearest to two centres the next nearest is picked too; there rows
      are drawn with replacement, which can stop the program.

    The variant in REAL's repository does not normalise: it is not followed.

    References
    ----------
    M. Yuan, H.-T. Lin and J. Boyd-Graber. Cold-start Active Learning through
    Self-supervised Language Modeling. EMNLP 2020, Algorithm 2.
    :doi:`10.18653/v1/2020.emnlp-main.637`

    Examples
    --------
    >>> from skal import ActiveLearner, TransformerClassifier
    >>> from skal.strategies import ALPS
    >>> pool = ["Draw a line.", "Draw a point.", "Sum all of the rows.", "Add numbers."]
    >>> learner = ActiveLearner(TransformerClassifier("skal-tiny"), ALPS(), n_queries=2)
    >>> rows = learner.query(pool)  # nothing is labelled yet
    >>> len(set(rows.tolist()))
    2
    """

    _parameter_constraints = {
        "token_share": [Interval(Real, 0, 1, closed="right")],
        "masked": ["boolean"],
        "clustering": [StrOptions({"k-means", "k-means++"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        token_share=0.15,
        masked=False,
        clustering="k-means",
        random_state=None,
    ):
        self.token_share = token_share
        self.masked = masked
        self.clustering = clustering
        self.random_state = random_state

    @property
    def reads(self):
        """The pool's surprisal."""
        return Reads(pool=frozenset({"surprisal"}))

    def _represent(self, view):
        surprisal = view.surprisal(
            self.token_share, masked=self.masked, random_state=self.random_state
        )
        return surprisal_embedding(surprisal, dtype=np.float32)

    def _central_rows(self, vectors, n_queries, rng):
        if self.clustering == "k-means":
            return central_rows(vectors, n_queries, rng)
        _, rows = kmeans_plusplus(
            vectors, n_queries, n_local_trials=1, random_state=rng
        )
        _, first = np.unique(rows, return_index=True)
        return rows[np.sort(first)].astype(np.int64)
