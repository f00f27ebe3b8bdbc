# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A frozen transformer that turns texts into vectors."""

import os
from hashlib import blake2b
from numbers import Integral
from pathlib import Path

from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted

from skal.text._tags import text_tags
from skal.text._vector_store import VectorStore
from skal.utils._sklearn import Interval, StrOptions, fit_context
from skal.utils._validation import check_texts


class SentenceEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Texts to vectors with a pretrained transformer that is not trained further.

    Filters such as AnchorAL search the pool by the similarity of these vectors; they
    also are features for any scikit-learn classifier.

    Parameters
    ----------
    model : str or path-like, default="sentence-transformers/all-mpnet-base-v2"
        A local checkpoint folder or the name of a model on the Hugging Face hub. The
        str "skal-tiny" is a small BERT that comes with skal.
    pooling : {"mean", "cls"}, default="mean"
        What stands for a text: the mean of its token vectors or the vector of its
        first token.
    normalize : bool, default=True
        Whether vectors have length 1, so that a dot product is a cosine similarity.
    max_length : int, default=128
        Tokens after which a text is cut, or fewer where the model has fewer positions.
    device : str, default="auto"
        A torch device; "auto" is CUDA, else MPS, else the CPU. A fitted encoder that
        is loaded on a machine without that device runs on the CPU.
    max_batch_tokens : int or "auto", default="auto"
        Padded tokens in a batch. "auto" is 2,048 on a CPU and 32,768 on a GPU.
    cache_dir : str or path-like, default=None
        A folder in which vectors are kept, so that no text is encoded twice: not by
        another encoder of the same checkpoint, not by another process, not after an
        interruption. None: no cache. The folder is the user's to delete.
    verbose : int, default=0
        Whether to show progress bars and let transformers report.

    Attributes
    ----------
    tokenizer_ : transformers tokenizer
        The tokenizer of the checkpoint.
    module_ : torch.nn.Module
        The transformer and its pooling, weights included: a pickle loads without the
        checkpoint.
    n_features_out_ : int
        The length of a vector.

    See Also
    --------
    TransformerClassifier : A classifier whose `embed` returns its own, fine-tuned,
        representation.

    Notes
    -----
    Time is one forward pass for each distinct text; memory is the vectors and one
    batch of activations.

    The cache finds a vector by the text and by what turns texts into vectors: weights,
    configuration and tokenizer (their hash, not the path), `pooling`, `normalize` and
    `max_length`. So one folder serves many models. Vectors are written as they are
    computed, up to 2,048 at a time, and memory-mapped when they are read; a process
    that is killed loses what it had not yet written, and two processes may use one
    folder at once. Files that are damaged are left out and a disk that is full stops
    the writing, both with a :class:`~skal.exceptions.CacheWarning`; the vectors
    returned are right either way. They are within 1e-6 of those without a cache (a
    vector depends on its neighbours in a batch in the last bit). Each call that
    computes something adds at least two files: pass many texts at once. A fitted
    encoder reads all weights once to know its cache, and a pickle does not hold it.

    References
    ----------
    N. Reimers and I. Gurevych. Sentence-BERT: Sentence Embeddings using Siamese
    BERT-Networks. EMNLP 2019. :doi:`10.18653/v1/D19-1410`

    Examples
    --------
    >>> from skal.text import SentenceEncoder
    >>> encoder = SentenceEncoder("skal-tiny").fit()
    >>> encoder.transform(["a text", "another"]).shape
    (2, 128)
    """

    _parameter_constraints: dict = {
        "model": [str, os.PathLike],
        "pooling": [StrOptions({"mean", "cls"})],
        "normalize": ["boolean"],
        "max_length": [Interval(Integral, 3, None, closed="left")],
        "device": [str],
        "max_batch_tokens": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "cache_dir": [str, os.PathLike, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        model="sentence-transformers/all-mpnet-base-v2",
        *,
        pooling="mean",
        normalize=True,
        max_length=128,
        device="auto",
        max_batch_tokens="auto",
        cache_dir=None,
        verbose=0,
    ):
        self.model = model
        self.pooling = pooling
        self.normalize = normalize
        self.max_length = max_length
        self.device = device
        self.max_batch_tokens = max_batch_tokens
        self.cache_dir = cache_dir
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X=None, y=None):
        """Load the checkpoint; nothing is learned.

        Parameters
        ----------
        X : None
            Ignored.
        y : None
            Ignored.

        Returns
        -------
        self : SentenceEncoder
            The fitted encoder.

        Raises
        ------
        ModelNotFoundError
            If there is no such checkpoint.
        NotADirectoryError
            If `cache_dir` is a file.
        """
        from skal import neural

        self._check_cache_dir()
        device = neural.resolve_device(self.device)
        tokenizer = neural.load_tokenizer(self.model, verbose=self.verbose)
        # Weights that the checkpoint lacks (BERT's pooler, often) are random numbers.
        with neural.seeded(0, device):
            module = neural.load_encoder(
                self.model,
                pooling=self.pooling,
                normalize=self.normalize,
                verbose=self.verbose,
            )
        self.tokenizer_ = tokenizer
        self.module_ = module.to(device).eval()
        self.n_features_out_ = module.network.config.hidden_size
        self._fingerprint = self._store = None
        if self.cache_dir is not None:
            self._open_store()
        return self

    def _check_cache_dir(self):
        if self.cache_dir is not None and os.path.isfile(self.cache_dir):
            raise NotADirectoryError(
                "cache_dir must be a folder, or a path at which one can be made. Got "
                f"the file {os.fspath(self.cache_dir)!r}; name another path."
            )

    def transform(self, X):
        """Encode texts.

        Parameters
        ----------
        X : sequence of str of length n
            List, tuple, array, pandas or polars Series, Arrow array.

        Returns
        -------
        vectors : ndarray of shape (n, `n_features_out_`), dtype float32
            One vector per text. Equal texts have equal vectors.

        Raises
        ------
        ValueError
            If X is empty or holds something that is not a str.
        """
        from skal import neural

        check_is_fitted(self)
        texts = check_texts(X)
        device = neural.resolve_device(self.device, fallback=True)
        module = self.module_.to(device)
        if self.cache_dir is None:
            return self._encode(texts, module, self.verbose)
        return self._open_store().fetch(
            neural.TokenizedTexts(texts),
            lambda texts: self._encode(texts, module, 0),
            prepare=lambda texts: texts.table(
                slice(None),
                self.tokenizer_,
                max_length=self.max_length,
                module=module,
            ),
            verbose=self.verbose,
        )

    def _encode(self, texts, module, verbose):
        from skal import neural

        return neural.run_texts(
            module,
            lambda inputs: {"vectors": module(**inputs)},
            texts,
            self.tokenizer_,
            max_length=self.max_length,
            max_batch_tokens=self.max_batch_tokens,
            verbose=verbose,
        )["vectors"]

    def fingerprint(self):
        """Identify what decides which vector a text gets.

        Returns
        -------
        fingerprint : str of 32 hexadecimal digits
            A hash of the weights, the configuration, the tokenizer, `pooling`,
            `normalize` and `max_length`: equal for two copies of a checkpoint, whatever
            their paths.
        """
        from skal import neural

        check_is_fitted(self)
        if vars(self).get("_fingerprint") is None:
            self._fingerprint = neural.fingerprint(self.module_, self.tokenizer_)
        settings = (
            self._fingerprint,
            self.module_.pooling,
            bool(self.module_.normalize),
            int(self.max_length),
            "float32",
        )
        return blake2b(repr(settings).encode(), digest_size=16).hexdigest()

    def _open_store(self):
        """The vectors on disk that are this encoder's; opened once."""
        folder = Path(self.cache_dir) / self.fingerprint()
        store = vars(self).get("_store")
        if store is None or store.folder != folder:
            self._store = store = VectorStore(folder, self.n_features_out_)
        return store

    @property
    def _n_features_out(self):
        return self.n_features_out_

    def __getstate__(self):
        state = super().__getstate__()
        if "module_" not in state:
            return state
        from skal import neural

        return state | {"module_": neural.on_cpu(state["module_"]), "_store": None}

    def __sklearn_tags__(self):
        tags = text_tags(super().__sklearn_tags__())
        tags.requires_fit = True
        return tags
