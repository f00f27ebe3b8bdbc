# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What one fitted classifier sees in one pool."""

import contextlib
import copy
import time
from dataclasses import dataclass, field

import numpy as np

from skal._pool_memory import PoolMemory
from skal.exceptions import MissingCapabilityError, NotQueryableError
from skal.utils._arrays import in_single_precision
from skal.utils._capabilities import (
    CAPABILITIES,
    compute_outputs,
    last_step,
    reads_rows_as_they_are,
    recorded_dynamics,
    recorded_predictions,
)
from skal.utils._random import peek_seed, stream
from skal.utils._rows import is_column, is_sliced, num_rows, take_rows
from skal.utils._slices import is_large, part_of

_IN_ONE_PASS = frozenset({"proba", "logits", "embedding", "samples", "predicted_loss"})


@dataclass(frozen=True)
class Reads:
    """What a strategy reads of the classifier: of the pool and of the labelled rows.

    Two of them are joined by ``|``.

    Parameters
    ----------
    pool : iterable of str, default=frozenset()
        What is read of the pool: names out of "proba", "logits", "embedding",
        "samples", "predicted_loss", "encoding" (vectors of the frozen encoder),
        "surprisal" (of the pretrained language model) and "epoch_predictions" (made
        while it was trained). Kept as a frozenset.
    labeled : iterable of str, default=frozenset()
        What is read of the labelled rows; the same names but the last two, and
        "training_dynamics". Kept as a frozenset.
    n_samples : int, default=0
        How many "samples" are read, so that they are drawn in the same pass as all
        else; 0 leaves them to a pass of their own. Of two numbers the larger holds.

    Examples
    --------
    >>> from skal.base import Reads
    >>> reads = Reads(pool={"proba"}) | Reads(pool={"embedding"}, labeled={"embedding"})
    >>> sorted(reads.pool)
    ['embedding', 'proba']
    """

    pool: frozenset = frozenset()
    labeled: frozenset = frozenset()
    n_samples: int = 0

    def __post_init__(self):
        for name in ("pool", "labeled"):
            outputs = getattr(self, name)
            outputs = {outputs} if isinstance(outputs, str) else outputs
            object.__setattr__(self, name, frozenset(outputs))
        unknown = (self.pool | self.labeled) - set(CAPABILITIES)
        unknown |= self.pool & {"training_dynamics"}  # of the pool there is none
        unknown |= self.labeled & {"surprisal", "epoch_predictions"}
        if unknown:
            raise ValueError(
                f"What is read must be out of {sorted(CAPABILITIES)}. Got "
                f"{sorted(unknown)}."
            )

    def __or__(self, other):
        return Reads(
            self.pool | other.pool,
            self.labeled | other.labeled,
            max(self.n_samples, other.n_samples),
        )

    def __bool__(self):
        return bool(self.pool or self.labeled)


@dataclass(frozen=True)
class QueryStep:
    """What picked rows of a view, or a filter that kept some of its rows.

    `rows` are positions in the view. A strategy that leaves the choice to others inside
    it takes no step.
    """

    by: object
    view: object
    n_queries: int
    rows: np.ndarray
    keeps: bool


@dataclass
class QueryLog:
    """Seconds by kind of work of one query, and what it showed the strategy.

    `subpool` holds positions in the pool, of what the last filter left; None without.
    `steps` is a list where steps are to be noted, else None: they hold their views.
    """

    seconds: dict = field(default_factory=dict)
    subpool: np.ndarray | None = None
    steps: list | None = None
    _inner: float = 0.0

    @contextlib.contextmanager
    def timed(self, kind):
        """Add the time of the block to `kind`, less what blocks inside it take."""
        outer, self._inner = self._inner, 0.0
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            own = elapsed - self._inner
            self.seconds[kind] = self.seconds.get(kind, 0.0) + own
            self._inner = outer + elapsed

    def note(self, *step):
        """Note a step, a :class:`QueryStep`, where that is asked for."""
        if self.steps is not None:
            self.steps.append(QueryStep(*step))

    @property
    def n_steps(self):
        """How many steps were noted."""
        return 0 if self.steps is None else len(self.steps)

    @property
    def n_subpool(self):
        """How many rows the strategy saw; None where there is no filter."""
        return None if self.subpool is None else len(self.subpool)


class _Look:
    """Rows, and what the classifier says of them, each thing computed at most once."""

    def __init__(self, estimator, classes, reads, n_samples, log):
        self.estimator = estimator
        self.classes = classes
        self.log = log
        read = reads & _IN_ONE_PASS
        self._reads = read if n_samples else read - {"samples"}
        self._n_samples = n_samples
        self._found = {}

    @property
    def proba(self):
        """Class probabilities, (n, C) float64."""
        return self._read("proba")

    @property
    def logits(self):
        """Scores before the softmax, (n, C) float64."""
        return self._read("logits")

    @property
    def embedding(self):
        """The classifier's own representation, (n, d) float32."""
        return self._read("embedding")

    @property
    def predicted_loss(self):
        """How large the classifier's loss is, as far as it knows, (n,) float64."""
        return self._read("predicted_loss")

    def samples(self, n_samples):
        """Class probabilities drawn several times, (n_samples, n, C) float64.

        Where more are drawn, for another reader, these are the first of them. A
        committee of fewer members gives as many as it has.
        """
        if n_samples > self._n_samples:
            self._n_samples = n_samples
            self._found.pop("samples", None)
        drawn = self._read("samples")
        return drawn if len(drawn) <= n_samples else drawn[:n_samples]

    def _read(self, name):
        if name not in self._found:
            self._found.update(self._compute(name))
        return self._found[name]

    def _check_estimator(self, name):
        if self.estimator is None:
            raise NotQueryableError(
                f"{name!r} of a fitted classifier is read, and there is none. Name in "
                "`reads` of the strategy all that it reads; before any label exists, "
                "query with one that reads nothing, such as RandomSampling."
            )

    def _compute(self, name):
        self._check_estimator(name)
        wanted = (self._reads | {name}) - set(self._found)
        with self.log.timed("look"):
            return compute_outputs(
                self.estimator, self._rows(), wanted, self.classes, self._n_samples
            )

    def _rows(self):
        """What the classifier is handed."""
        return self.X


class LabeledRows(_Look):
    """The labelled set as a query sees it: X, y, rounds, and the classifier's outputs.

    Attributes
    ----------
    X : rows
    y : ndarray of shape (n_labeled,)
    rounds : ndarray of shape (n_labeled,), dtype int64
        The round in which each label was given; 0 is the seed.
    """

    def __init__(self, X, y, rounds, **look):
        super().__init__(**look)
        self.X, self.y, self.rounds = X, y, rounds

    def __len__(self):
        return len(self.y)

    @property
    def training_dynamics(self):
        """What training saw: `gold_proba` and `correct`, both (n_epochs, n_labeled)."""
        return recorded_dynamics(self.estimator, len(self))

    def by_round(self):
        """Positions and rows of the labels given in each round."""
        for round_ in np.unique(self.rounds):
            rows = np.flatnonzero(self.rounds == round_)
            yield rows, take_rows(self.X, rows)


class PoolView(_Look):
    """What one fitted classifier sees in one pool, or in some rows of it.

    Everything is computed when it is first read and at most once; what a strategy says
    it reads is computed in one pass. Positions are relative to the view's own rows.

    Parameters
    ----------
    pool : rows
        The object the user passed, whole.
    rows : ndarray of shape (n,), dtype int64, sorted, default=None
        The positions in `pool` that the view shows; None means all.
    estimator : fitted classifier, default=None
        None before the first fit (cold start).
    classes : ndarray of shape (C,), default=None
        The label vocabulary.
    labeled : tuple (X, y, rounds), default=None
        The labelled set; None before any label exists.
    encoder : FrozenEstimator around a fitted transformer, default=None
        The estimator's checkpoint before fine-tuning.
    language_model : unfitted classifier, default=None
        Is asked for `token_surprisal`.
    seed : int, default=0
        Seed of whatever leaves its own `random_state` None.
    round_ : int, default=0
        The round that is asked for; 0 is the cold start.
    memory : PoolMemory, default=None
        Vectors and indexes of earlier queries on the same pool object.
    reads : Reads
        What will be read; computed together.
    """

    def __init__(
        self,
        pool,
        rows=None,
        *,
        estimator=None,
        classes=None,
        labeled=None,
        encoder=None,
        language_model=None,
        seed=0,
        round_=0,
        memory=None,
        reads=None,
    ):
        reads = Reads() if reads is None else reads
        super().__init__(estimator, classes, reads.pool, reads.n_samples, QueryLog())
        self.pool, self.rows = pool, rows
        self.encoder, self.language_model = encoder, language_model
        self.seed, self.round = seed, round_
        self.memory = PoolMemory() if memory is None else memory
        self.depth = 1
        X, y, rounds = labeled or ([], np.empty(0), np.empty(0, dtype=np.int64))
        self.labeled = LabeledRows(
            X,
            y,
            rounds,
            estimator=estimator,
            classes=classes,
            reads=reads.labeled,
            n_samples=reads.n_samples,
            log=self.log,
        )
        self._parent = None
        self._X = None

    def __len__(self):
        return num_rows(self.pool) if self.rows is None else len(self.rows)

    @property
    def X(self):
        """The rows themselves, in the pool's kind of container.

        Of a column that is read in slices (see :doc:`/big_pools`) a list; where that
        would be long, a sequence that reads its rows when they are asked for.
        """
        if self._X is None:
            if is_column(self.pool):
                self._X = part_of(self.pool, self.rows)
            else:
                whole = self.rows is None
                self._X = self.pool if whole else take_rows(self.pool, self.rows)
        return self._X

    def take(self, rows):
        """Show only some of these rows.

        Nothing is computed for it here; what this view has already computed is not
        computed again.

        Parameters
        ----------
        rows : array-like of shape (m,), dtype int
            Sorted positions in this view.

        Returns
        -------
        view : PoolView
            Of m rows.
        """
        rows = np.asarray(rows, dtype=np.int64)
        view = copy.copy(self)
        view.rows = rows if self.rows is None else self.rows[rows]
        view.depth = self.depth + 1
        view._X, view._found = None, {}
        view._parent = (self, rows)
        return view

    def seen_by(self, estimator, reads, whole=False):
        """Show the same rows, and the same labelled rows, to another classifier.

        Parameters
        ----------
        estimator : fitted classifier
            Takes the place of the view's own.
        reads : Reads
            What will be read of it.
        whole : bool, default=False
            Show all rows of the pool object instead.

        Returns
        -------
        view : PoolView
            In which nothing is computed yet.
        """
        labeled, classes = self.labeled, self.classes
        view = PoolView(
            self.pool,
            None if whole else self.rows,
            estimator=estimator,
            classes=estimator.classes_ if classes is None else classes,
            labeled=(labeled.X, labeled.y, labeled.rounds),
            encoder=self.encoder,
            language_model=self.language_model,
            seed=self.seed,
            round_=self.round,
            memory=self.memory,
            reads=reads,
        )
        view.depth, view.log = self.depth + 1, self.log
        view.labeled.log = self.log
        return view

    def _compute(self, name):
        if self._parent is not None:
            parent, rows = self._parent
            if parent._has(name, self._n_samples):
                found = parent._read(name)
                return {name: found[:, rows] if name == "samples" else found[rows]}
        return super()._compute(name)

    def _has(self, name, n_samples):
        if name in self._found:
            return name != "samples" or self._n_samples >= n_samples
        return self._parent is not None and self._parent[0]._has(name, n_samples)

    def _rows(self):
        """The pool's rows, with their tokens where the classifier keeps them."""
        if is_sliced(self.pool) and is_large(self.pool):
            return self.X if is_column(self.pool) else part_of(self.pool, self.rows)
        classifier = last_step(self.estimator)
        keeps = hasattr(classifier, "keep_tokens") and is_column(self.pool)
        if not (keeps and reads_rows_as_they_are(self.estimator)):
            return self.X
        texts = self.memory.tokenized(self.pool, classifier)
        return texts if self.rows is None else texts[self.rows]

    @property
    def epoch_predictions(self):
        """Classes predicted while the classifier was trained, (T, n); -1: not recorded.

        Positions in `classes`, after each epoch that was recorded.
        """
        if "epoch_predictions" not in self._found:
            self._check_estimator("epoch_predictions")
            with self.log.timed("look"):
                found = recorded_predictions(self.estimator, self.X, self.classes)
            self._found["epoch_predictions"] = found
        return self._found["epoch_predictions"]

    def rng(self, random_state=None):
        """Make the random numbers of this round.

        Parameters
        ----------
        random_state : int, RandomState instance or None, default=None
            None takes the learner's seed (and differs between nested filters); an int
            or a RandomState is the strategy's own.

        Returns
        -------
        rng : RandomState
            A new one; the same numbers at every call.
        """
        if random_state is None:
            return stream(self.seed, self.round, self.depth)
        return stream(peek_seed(random_state), self.round)

    def surprisal(self, picked=0.15, *, masked=False, random_state=None):
        """How unexpected tokens are to the language model before any fine-tuning.

        Needs no fitted classifier. A row is computed when it is first asked for, and
        once per pool object: which tokens are picked depends on the text and the seed
        alone, not on the round.

        Parameters
        ----------
        picked : float, default=0.15
            The probability with which a token is picked.
        masked : bool, default=False
            Whether the picked tokens are corrupted first, as they were in pretraining.
        random_state : int, RandomState instance or None, default=None
            Decides which tokens are picked. None takes the learner's seed.

        Returns
        -------
        surprisal : ndarray of shape (n, L), dtype float32
            ``-log p(token | text)`` of the picked tokens, 0 elsewhere. Not to be
            changed.
        """
        seed = self.seed if random_state is None else peek_seed(random_state)
        settings = {"picked": picked, "masked": masked, "random_state": seed}
        with self.log.timed("encode"):
            return self.memory.surprisal(
                self.pool, self.rows, self.language_model, **settings
            )

    def nearest_to_labeled(self, labeled_rows, k, encoder="auto", index="auto"):
        """Find the k rows of this view most similar to each of some labelled rows.

        Parameters
        ----------
        labeled_rows : array-like of shape (m,), dtype int
            Positions in the labelled set.
        k : int
            Clamped to the number of rows.
        encoder : "auto" or transformer, default="auto"
            As in :class:`~skal.filters.AnchorAL`.
        index : {"auto", "exact", "hnsw", "ivf", "ivf_pq"} or Path, default="auto"
            As in :class:`~skal.filters.AnchorAL`.

        Returns
        -------
        neighbors : ndarray of shape (m, min(k, n)), dtype int64
            Positions in this view, most similar first, ties by lower position.
        similarity : ndarray of shape (m, min(k, n)), dtype float64
            Cosine similarity of the frozen encoder's vectors.
        """
        queries = self.encode_labeled(encoder)[labeled_rows]
        found = self._encoded(encoder, index).index(index)
        neighbors, similarity = found.search(queries, k, rows=self.rows)
        if self.rows is not None:
            neighbors = np.searchsorted(self.rows, neighbors)
        return neighbors, similarity

    def near_labeled(self, k, encoder="auto", index="auto"):
        """Find the rows of this view that are near to any labelled row.

        The k neighbours of a labelled row are looked for in the whole pool object; only
        then are those dropped that the view does not show. So they stay the same from
        round to round and are looked for once per labelled row and pool object.

        Parameters
        ----------
        k : int
            Neighbours per labelled row. A labelled row that lies in the pool object
            itself takes no place among its neighbours.
        encoder : "auto" or transformer, default="auto"
            As in :class:`~skal.filters.AnchorAL`.
        index : {"auto", "exact", "hnsw", "ivf", "ivf_pq"} or Path, default="auto"
            As in :class:`~skal.filters.AnchorAL`.

        Returns
        -------
        rows : ndarray of shape (m,), dtype int64
            Sorted positions in this view.
        """
        vectors = self.encode_labeled(encoder)
        encoded = self._encoded(encoder, index)
        near = np.zeros(num_rows(self.pool), dtype=bool)
        for rows, _ in self.labeled.by_round():
            near[encoded.near(vectors[rows], k, index)] = True
        return np.flatnonzero(near if self.rows is None else near[self.rows])

    def encode(self, encoder="auto"):
        """Encode the rows with the frozen encoder.

        The whole pool object is encoded, once for all queries and filters.

        Parameters
        ----------
        encoder : "auto" or transformer, default="auto"
            As in :class:`~skal.filters.AnchorAL`.

        Returns
        -------
        vectors : ndarray of shape (n, d), dtype float32
            Not normalised here. In memory, also where the pool is not, unless it is
            memory-mapped in single precision.
        """
        encoded = self._encoded(encoder)
        with self.log.timed("encode"):
            vectors = encoded.vectors
        return in_single_precision(vectors if self.rows is None else vectors[self.rows])

    def cluster(self, n_clusters, encoder="auto", random_state=None):
        """Find the clusters of the frozen encoder's vectors, at unit length.

        The whole pool object is clustered by k-means, once for all queries and filters
        with the same seed.

        Parameters
        ----------
        n_clusters : int
            Most clusters to make.
        encoder : "auto" or transformer, default="auto"
            As in :class:`~skal.filters.AnchorAL`.
        random_state : int, RandomState instance or None, default=None
            None takes the learner's seed. The round does not matter.

        Returns
        -------
        clusters : ndarray of shape (n,), dtype int64
            From 0; of a cluster that the view shows no row of, the number is missing.
        """
        seed = self.seed if random_state is None else peek_seed(random_state)
        encoded = self._encoded(encoder)
        with self.log.timed("encode"):
            clusters = encoded.clusters(n_clusters, seed)
        return clusters if self.rows is None else clusters[self.rows]

    def encode_labeled(self, encoder="auto"):
        """Encode the labelled rows with the frozen encoder, each round's together.

        Parameters
        ----------
        encoder : "auto" or transformer, default="auto"
            As in :class:`~skal.filters.AnchorAL`.

        Returns
        -------
        vectors : ndarray of shape (n_labeled, d), dtype float32
            Not normalised here.
        """
        key = ("encoding", id(encoder))
        if key not in self.labeled._found:
            encoded = self._encoded(encoder)
            with self.log.timed("encode"):
                rounds = [(at, encoded.encode(X)) for at, X in self.labeled.by_round()]
                width = (rounds[0][1] if rounds else encoded.vectors).shape[1]
                vectors = np.empty((len(self.labeled), width), dtype=np.float32)
                for rows, found in rounds:
                    vectors[rows] = found
            self.labeled._found[key] = vectors
        return self.labeled._found[key]

    def _encoded(self, encoder, index=None):
        """The pool under an encoder; with its index of a kind, built if need be."""
        encoder = self._resolve(encoder)
        with self.log.timed("encode"):
            encoded = self.memory.encoded(self.pool, encoder, self.seed)
            if index is not None:
                encoded.index(index)
        return encoded

    def _resolve(self, encoder):
        """What "auto" means: None (identity) on vectors, else the frozen encoder."""
        if not isinstance(encoder, str):
            return encoder
        if not is_column(self.pool):
            return None
        if self.encoder is None:
            method, remedy = CAPABILITIES["encoding"]
            raise MissingCapabilityError(
                f"encoder='auto' takes the classifier's `{method}`, and this one has "
                f"none; {remedy}."
            )
        return self.encoder
