# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a fitted transformer says about texts, in one streamed pass."""

import contextlib
from numbers import Integral

import numpy as np
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted

from skal.utils._validation import check_texts


class PredictionMixin:
    """The methods of `TransformerClassifier` that need a fitted model."""

    def predict_outputs(self, X, outputs, *, n_samples=10):
        """Everything the fitted model says about texts, in one streamed pass.

        Parameters
        ----------
        X : sequence of str of length n
            List, tuple, array, pandas or polars Series, Arrow array.
        outputs : iterable of str
            What to return: names out of "proba", "logits", "embedding", "samples" and
            "hidden_states".
        n_samples : int, default=10
            Draws of "samples".

        Returns
        -------
        values : dict of ndarray
            One entry per name asked for, rows in the order of X:

            * "proba": class probabilities of shape (n, n_classes), float64;
            * "logits": what the softmax turns into them, (n, n_classes), float64;
            * "embedding": input of the last linear layer of the head, (n, d), float32,
              so that ``logits = embedding @ W.T + b``;
            * "samples": what :meth:`sample_proba` returns, (n_samples, n, n_classes);
            * "hidden_states": the token that stands for the text, after the embedding
              and after each layer, (n, n_layers + 1, d), float32.

        Raises
        ------
        ValueError
            If X is empty or holds something that is not a str, if a name is unknown,
            or if the architecture has no such embedding or no dropout.

        Notes
        -----
        Each distinct text passes the model once, whatever is asked for, and once more
        for each dropout sample; equal texts have equal outputs. Texts are cut to
        `max_length`; a TruncationWarning tells, once a call, how many were cut shorter
        than that because the model has fewer positions.
        """
        check_is_fitted(self)
        wanted = _check_outputs(outputs)
        if "samples" in wanted:
            _check_n_samples(n_samples)
        streamed = self._stream(check_texts(X), set(wanted), n_samples)
        return {name: _FINISH[name](streamed) for name in wanted}

    def _stream(self, X, wanted, n_samples):
        from skal import neural

        device = neural.resolve_device(self.device, fallback=True)
        module = self.net_.module_.to(device)
        neural.set_compiled(module, self.compile)
        sampler = (
            neural.DropoutSampler(module, n_samples) if "samples" in wanted else None
        )
        options = {name: name in wanted for name in ("embedding", "hidden_states")}
        plain = bool(wanted - {"samples"})

        def forward(inputs):
            with sampler.shared_encoder() if sampler else contextlib.nullcontext():
                found = module.forward_outputs(inputs, **options) if plain else {}
                if sampler:
                    found["samples"] = sampler.draw(inputs)
            return found

        seeded = contextlib.nullcontext()
        if sampler:
            seeded = neural.seeded(self._sample_seed(), device)
        with seeded:
            return neural.run_texts(
                module,
                forward,
                X,
                self.tokenizer_,
                max_length=self.max_length,
                max_batch_tokens=self.max_batch_tokens,
                mixed_precision=self.mixed_precision,
                verbose=self.verbose,
            )

    def _sample_seed(self):
        """An int `random_state`, else what the last fit drew: never anything new."""
        fixed = isinstance(self.random_state, Integral)
        return int(self.random_state) if fixed else self._fit_seed

    def predict_proba(self, X):
        """Class probabilities.

        Parameters
        ----------
        X : sequence of str of length n
            Texts.

        Returns
        -------
        proba : ndarray of shape (n, n_classes), dtype float64
            Columns in the order of `classes_`; rows sum to 1.
        """
        return self.predict_outputs(X, ["proba"])["proba"]

    def predict(self, X):
        """The most probable class of each text.

        Parameters
        ----------
        X : sequence of str of length n
            Texts.

        Returns
        -------
        labels : ndarray of shape (n,)
            Elements of `classes_`.
        """
        logits = self.predict_outputs(X, ["logits"])["logits"]
        return self.classes_[logits.argmax(axis=1)]

    def embed(self, X):
        """The classifier's own, fine-tuned, representation of each text.

        Parameters
        ----------
        X : sequence of str of length n
            Texts.

        Returns
        -------
        embedding : ndarray of shape (n, d), dtype float32
            The input of the last linear layer of the classification head. It is made
            from the first token in an encoder, from the last one in a decoder and from
            the end-of-sequence token in an encoder-decoder.
        """
        return self.predict_outputs(X, ["embedding"])["embedding"]

    def sample_proba(self, X, n_samples=10):
        """Class probabilities drawn with Monte Carlo dropout.

        Parameters
        ----------
        X : sequence of str of length n
            Texts.
        n_samples : int, default=10
            Draws per text.

        Returns
        -------
        samples : ndarray of shape (n_samples, n, n_classes), dtype float64
            Columns in the order of `classes_`; they sum to 1.

        Raises
        ------
        ValueError
            If all dropout rates of the model are 0.

        Notes
        -----
        Whatever drops something, attention weights included, is in training mode while
        a sample is drawn and back in its own mode after; everything else (batch
        normalisation, say) never leaves evaluation mode. Where only the head has
        dropout the encoder runs once for all samples.

        Masks are seeded by `random_state`, or by what the last `fit` drew from it if
        that is no int: two calls on the same texts, with the same `max_batch_tokens`,
        return the same samples. Each text has masks of its own in each sample.

        References
        ----------
        Y. Gal and Z. Ghahramani. Dropout as a Bayesian Approximation: Representing
        Model Uncertainty in Deep Learning. ICML 2016.
        """
        outputs = self.predict_outputs(X, ["samples"], n_samples=n_samples)
        return outputs["samples"]


def _check_outputs(outputs):
    outputs = [outputs] if isinstance(outputs, str) else list(outputs)
    unknown = [name for name in outputs if name not in _FINISH]
    if unknown:
        raise ValueError(
            f"outputs must be names out of {list(_FINISH)}. Got {unknown}."
        )
    return outputs


def _check_n_samples(n_samples):
    if not isinstance(n_samples, Integral) or n_samples < 1:
        raise ValueError(f"n_samples must be an int of at least 1. Got {n_samples!r}.")


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
}
