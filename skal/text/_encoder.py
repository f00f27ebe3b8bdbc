# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A frozen transformer that turns texts into vectors."""

import os
from numbers import Integral

from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted

from skal.text._tags import text_tags
from skal.utils._sklearn import Interval, StrOptions, fit_context
from skal.utils._validation import check_texts


class SentenceEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Texts to vectors with a pretrained transformer that is not trained further.

    Filters such as AnchorAL search the pool by the similarity of these vectors; they
    also are features for any scikit-learn classifier.

    Parameters
    ----------
    model : str or path-like, default="sentence-transformers/all-mpnet-base-v2"
        A local checkpoint folder or the name of a model on the Hugging Face hub.
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

    References
    ----------
    N. Reimers and I. Gurevych. Sentence-BERT: Sentence Embeddings using Siamese
    BERT-Networks. EMNLP 2019. :doi:`10.18653/v1/D19-1410`

    Examples
    --------
    >>> from skal.text import SentenceEncoder
    >>> encoder = SentenceEncoder("path/to/checkpoint", pooling="cls")
    >>> encoder.fit().transform(["a text", "another"])  # doctest: +SKIP
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
        verbose=0,
    ):
        self.model = model
        self.pooling = pooling
        self.normalize = normalize
        self.max_length = max_length
        self.device = device
        self.max_batch_tokens = max_batch_tokens
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
        """
        from skal import neural

        device = neural.resolve_device(self.device)
        tokenizer = neural.load_tokenizer(self.model, verbose=self.verbose)
        module = neural.load_encoder(
            self.model,
            pooling=self.pooling,
            normalize=self.normalize,
            verbose=self.verbose,
        )
        self.tokenizer_ = tokenizer
        self.module_ = module.to(device).eval()
        self.n_features_out_ = module.network.config.hidden_size
        return self

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
        module = self.module_.to(neural.resolve_device(self.device, fallback=True))
        return neural.run_texts(
            module,
            lambda inputs: {"vectors": module(**inputs)},
            check_texts(X),
            self.tokenizer_,
            max_length=self.max_length,
            max_batch_tokens=self.max_batch_tokens,
            verbose=self.verbose,
        )["vectors"]

    @property
    def _n_features_out(self):
        return self.n_features_out_

    def __getstate__(self):
        state = super().__getstate__()
        if "module_" not in state:
            return state
        from skal import neural

        return state | {"module_": neural.on_cpu(state["module_"])}

    def __sklearn_tags__(self):
        tags = text_tags(super().__sklearn_tags__())
        tags.requires_fit = True
        return tags
