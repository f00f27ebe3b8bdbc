# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a fitted net says about rows, in one streamed pass."""

import copy
from functools import partial

import numpy as np
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted

from skal.utils._rows import is_sliced, num_rows
from skal.utils._slices import join_outputs, read_slices
from skal.utils._validation import check_count


class PredictionMixin:
    """The methods of the classifiers of `skal.text` that need a fitted net.

    A class with it names what it gives in `_outputs` and implements
    ``_stream(X, wanted, n_samples)``: the arrays of a forward pass, "logits" (n, C),
    "samples" (n, n_samples, C) logits and whatever else is wanted, in float32.
    """

    def predict_outputs(self, X, outputs, *, n_samples=10):
        """Everything the fitted classifier says about rows, in one streamed pass.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as in `fit`.
        outputs : iterable of str
            What to return: names out of "proba", "logits", "embedding" and "samples",
            of a transformer "hidden_states" too, and "predicted_loss" where a
            :class:`~skal.text.LossPredictingClassifier` trained it.
        n_samples : int, default=10
            Draws of "samples".

        Returns
        -------
        values : dict of ndarray
            One entry per name asked for, rows in the order of X:

            * "proba": class probabilities of shape (n, n_classes), float64;
            * "logits": what the softmax turns into them, (n, n_classes), float64;
            * "embedding": input of the last linear layer, (n, d), float32, so that
              ``logits = embedding @ W.T + b``;
            * "samples": what `sample_proba` returns, (n_samples, n, n_classes);
            * "hidden_states": the token that stands for the text, after the embedding
              and after each layer, (n, n_layers + 1, d), float32;
            * "predicted_loss": how large the loss is, for comparison, (n,), float64.

        Raises
        ------
        ValueError
            If X is not such rows as `fit` takes, if a name is unknown, or if the net
            has no such embedding or no dropout.

        Notes
        -----
        Each distinct text passes a transformer once, whatever is asked for, and once
        more for each dropout sample; equal texts have equal outputs. Texts are cut to
        `max_length`; a TruncationWarning tells, once a call, how many were cut shorter
        than that because the model has fewer positions.
        """
        check_is_fitted(self)
        wanted = self._check_outputs(outputs)
        if is_sliced(X):
            ask = partial(self.predict_outputs, outputs=wanted, n_samples=n_samples)
            return join_outputs(map(ask, read_slices(X, name="X")), num_rows(X))
        if "samples" in wanted:
            n_samples = check_count(n_samples, "n_samples")
        streamed = self._stream(X, set(wanted), n_samples)
        return {name: _FINISH[name](streamed) for name in wanted}

    def _check_outputs(self, outputs):
        outputs = [outputs] if isinstance(outputs, str) else list(outputs)
        names = list(self._outputs)
        if self.net_.module_.loss_module is not None:
            names.append("predicted_loss")
        unknown = [name for name in outputs if name not in names]
        if unknown:
            raise ValueError(f"outputs must be names out of {names}. Got {unknown}.")
        return outputs

    def predict_proba(self, X):
        """Class probabilities.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as in `fit`.

        Returns
        -------
        proba : ndarray of shape (n, n_classes), dtype float64
            Columns in the order of `classes_`; rows sum to 1.
        """
        return self.predict_outputs(X, ["proba"])["proba"]

    def predict(self, X):
        """The most probable class of each row.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as in `fit`.

        Returns
        -------
        labels : ndarray of shape (n,)
            Elements of `classes_`.
        """
        logits = self.predict_outputs(X, ["logits"])["logits"]
        return self.classes_[logits.argmax(axis=1)]

    def embed(self, X):
        """The classifier's own, learned, representation of each row.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as in `fit`.

        Returns
        -------
        embedding : ndarray of shape (n, d), dtype float32
            The input of the last linear layer, without dropout. In a transformer it is
            made from the first token of an encoder, from the last one of a decoder and
            from the end-of-sequence token of an encoder-decoder.
        """
        return self.predict_outputs(X, ["embedding"])["embedding"]

    def _with_module(self, module, seed):
        """A fitted copy with weights, and seed of its samples, of its own.

        All else is shared.
        """
        twin = copy.copy(self)
        twin.random_state = twin._fit_seed = seed
        twin.net_ = self.net_.with_module(module)
        return twin

    def __getstate__(self):
        state = dict(super().__getstate__())
        if "net_" in state:
            state["net_"] = self.net_.stored_as(self.store_dtype)
        return state


def _samples(streamed):
    """(n, T, C) logits to (T, n, C) probabilities, one sample in float64 at a time."""
    n_rows, n_samples, n_classes = streamed["samples"].shape
    samples = np.empty((n_samples, n_rows, n_classes))
    for draw, sample in enumerate(samples):
        sample[:] = softmax(streamed["samples"][:, draw].astype(np.float64), axis=1)
    return samples


# name asked for -> the array to return, from the arrays of the stream
_FINISH = {
    "proba": lambda streamed: softmax(streamed["logits"].astype(np.float64), axis=1),
    "logits": lambda streamed: streamed["logits"].astype(np.float64),
    "embedding": lambda streamed: streamed["embedding"],
    "samples": _samples,
    "hidden_states": lambda streamed: streamed["hidden_states"],
    "predicted_loss": lambda streamed: streamed["predicted_loss"].astype(np.float64),
}
