# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A transformer that gives the vectors of a pool out of a store."""

import os
from pathlib import Path

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MetaEstimatorMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted

from skal.exceptions import StoreMismatchError
from skal.text._embed import CONSTRAINTS, as_texts, checked, fill, fitted, keys_of
from skal.text._encoder_identity import fingerprint_of
from skal.text._stored_vectors import StoredTexts, read_meta
from skal.text._tags import text_tags
from skal.utils._rows import take_rows, to_list
from skal.utils._sklearn import fit_context


class StoredEncoder(
    ClassNamePrefixFeaturesOutMixin, MetaEstimatorMixin, TransformerMixin, BaseEstimator
):
    """An encoder that computes the vectors of a pool once and leaves them on disk.

    `fit` does what :func:`embed` does: it computes the vectors of the pool, or finds
    them in the store. `transform` looks texts up. So a filter with this encoder reads a
    memory-mapped array in place of one in memory::

        encoder = StoredEncoder(SentenceEncoder("bert-base-uncased"), "store")
        strategy = AnchorAL(Entropy(), encoder=encoder)

    Parameters
    ----------
    encoder : transformer
        Turns texts into dense vectors. One that is not fitted is cloned and fitted on
        the pool.
    folder : path-like
        A new or empty folder, or a store that `fit`, `embed` or ``skal embed`` made
        with this encoder and these settings.
    dtype : {"float32", "float16"}, default="float32"
        What the vectors are stored in.
    shard_rows : int, default=2048
        Texts that are computed and written together.
    n_jobs : int or None, default=None
        Shards at a time, as joblib understands it; each is computed in one thread.
    overwrite : bool, default=False
        Whether to replace a store of another encoder, of other settings or of other
        texts.
    verbose : int, default=0
        1 shows a progress bar with the time left.

    Attributes
    ----------
    encoder_ : transformer
        The fitted encoder.
    n_features_out_ : int
        The length of a vector.

    See Also
    --------
    embed : What the store is, and what is guaranteed.
    SentenceEncoder : Its `cache_dir` keeps vectors by text, of any number of pools; it
        answers with an array in memory.

    Notes
    -----
    `transform` hashes the texts that it is given and compares them with those of the
    store, O(n) time. A pickle holds the encoder and the path of the store, no vectors.
    Where there is no store at that path, vectors are computed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from skal.text import SentenceEncoder, StoredEncoder
    >>> pool = ["a text", "another", "a third"]
    >>> with TemporaryDirectory() as folder:
    ...     encoder = StoredEncoder(SentenceEncoder("skal-tiny"), folder).fit(pool)
    ...     vectors = encoder.transform(pool)
    >>> type(vectors).__name__, vectors.shape
    ('memmap', (3, 128))
    """

    # A pool that does not fit in memory is given to it whole.
    _reads_slices = True
    _parameter_constraints: dict = CONSTRAINTS

    def __init__(
        self,
        encoder,
        folder,
        *,
        dtype="float32",
        shard_rows=2048,
        n_jobs=None,
        overwrite=False,
        verbose=0,
    ):
        self.encoder = encoder
        self.folder = folder
        self.dtype = dtype
        self.shard_rows = shard_rows
        self.n_jobs = n_jobs
        self.overwrite = overwrite
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Compute the vectors of a pool, or what the store lacks of them.

        Parameters
        ----------
        X : sequence of str of length n
            The pool.
        y : None
            Ignored.

        Returns
        -------
        self : StoredEncoder
            The fitted encoder.

        Raises
        ------
        StoreMismatchError
            If the store is of another encoder, of other settings or of other texts.
        OSError
            If the folder cannot be written to.
        """
        encoder = fitted(self.encoder, X)
        params = self.get_params(deep=False) | {"encoder": encoder}
        vectors = fill(X, **params)[0]
        self.encoder_ = encoder
        self.n_features_out_ = vectors.shape[1]
        self._fingerprint = fingerprint_of(encoder)
        self._opened = None
        return self

    def transform(self, X):
        """Look up the vectors of texts; compute those that the store lacks.

        Parameters
        ----------
        X : sequence of str of length n
            The pool, or other texts.

        Returns
        -------
        vectors : memmap or ndarray of shape (n, `n_features_out_`) and dtype `dtype`
            Of the pool the memory-mapped array. Of other texts an array in memory: what
            it computes is not stored.

        Raises
        ------
        ValueError
            If X is empty or holds something that is not a str.
        StoreMismatchError
            If the store has been replaced by that of another encoder.
        """
        check_is_fitted(self)
        X = as_texts(X)
        keys = keys_of(X)
        stored = self._open()
        if stored is not None and np.array_equal(keys, stored.keys):
            return stored.vectors
        vectors = np.empty((len(keys), self.n_features_out_), dtype=self.dtype)
        missing = np.arange(len(keys))
        if stored is not None:
            missing = stored.read(keys, vectors)
        if len(missing):
            texts = to_list(X if len(missing) == len(keys) else take_rows(X, missing))
            computed = self.encoder_.transform(texts)
            vectors[missing] = checked(computed, len(texts), self.dtype)
        return vectors

    def _open(self):
        """The store as it now is; None where there is none."""
        meta = read_meta(Path(os.path.abspath(self.folder)))
        if meta is None:
            return None
        if meta and meta["encoder"] != self._fingerprint:
            raise StoreMismatchError(
                "The store of a StoredEncoder must hold vectors of its encoder. That "
                f"in {os.fspath(self.folder)} is of another one by now: "
                f"{meta['made_by']}. Fit again, with another folder or overwrite=True."
            )
        if self._opened is None or self._opened[0] != meta:
            self._opened = meta, StoredTexts(self.folder, meta)
        return self._opened[1]

    @property
    def _n_features_out(self):
        return self.n_features_out_

    def __getstate__(self):
        state = super().__getstate__()
        return state | {"_opened": None} if "_opened" in state else state

    def __sklearn_tags__(self):
        tags = text_tags(super().__sklearn_tags__())
        tags.requires_fit = True
        return tags
