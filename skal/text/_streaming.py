# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How a fitted transformer looks at texts."""

import contextlib
from numbers import Integral

from skal.text._prediction import PredictionMixin
from skal.utils._rows import is_sliced, missing_texts
from skal.utils._validation import check_texts


class StreamingMixin(PredictionMixin):
    """The methods of `TransformerClassifier` that need a fitted model."""

    _outputs = ("proba", "logits", "embedding", "samples", "hidden_states")

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

    def keep_tokens(self, X):
        """Texts that remember their tokens, for several looks at the same texts.

        What is returned stands for X in every method, of this and of other classifiers;
        those that tokenise alike (another `fit` of the same checkpoint, say) use the
        tokens again. :class:`~skal.ActiveLearner` does this for its pool.

        Parameters
        ----------
        X : sequence of str of length n
            List, tuple, array, pandas or polars Series, Arrow array.

        Returns
        -------
        texts : sequence of str of length n
            ``texts[rows]``, for an array of positions, shares the tokens.

        Raises
        ------
        ValueError
            If X is empty or holds something that is not a str.

        Notes
        -----
        A text is tokenised when it is first looked at, so that a subpool costs no more
        than itself. Memory: the references to the texts, 8 bytes a text (of a Series
        none), and 4 bytes a token; of two kinds of tokens, those of the last look.
        """
        from skal import neural

        if isinstance(X, neural.TokenizedTexts):
            return X
        missing = None if is_sliced(X) else missing_texts(X)
        knows = missing is not None and len(X) > 0 and len(missing) == 0
        return neural.TokenizedTexts(X if knows else check_texts(X))

    def _share_tokenizer(self, other):
        """Hold the tokenizer of another classifier if it is of the same checkpoint."""
        if self.model == other.model:
            self.tokenizer_ = other.tokenizer_

    def _stream(self, X, wanted, n_samples):
        return self._run(self.net_.module_, self.tokenizer_, X, wanted, n_samples)

    def _run(self, module, tokenizer, X, wanted, n_samples=0):
        from skal import neural

        texts = X if isinstance(X, neural.TokenizedTexts) else check_texts(X)
        device = neural.resolve_device(self.device, fallback=True)
        module = module.to(device)
        neural.set_compiled(module, self.compile)
        sampler = (
            neural.DropoutSampler(module, n_samples) if "samples" in wanted else None
        )
        names = ("embedding", "hidden_states", "predicted_loss")
        options = {name: name in wanted for name in names}
        plain = bool(set(wanted) - {"samples"})

        def forward(inputs):
            with sampler.shared_encoder() if sampler else contextlib.nullcontext():
                found = module.forward_outputs(inputs, **options) if plain else {}
                if sampler:
                    found["samples"] = sampler.draw(inputs)
            return found

        around = contextlib.ExitStack()
        if sampler:
            around.enter_context(neural.seeded(self._sample_seed(), device))
        if options["hidden_states"] or options["predicted_loss"]:
            around.enter_context(neural.left_as_it_was(module))
        with around:
            return neural.run_texts(
                module,
                forward,
                texts,
                tokenizer,
                max_length=self.max_length,
                max_batch_tokens=self.max_batch_tokens,
                mixed_precision=self.mixed_precision,
                verbose=self.verbose,
            )

    def _sample_seed(self):
        """An int `random_state`, else what the last fit drew: never anything new."""
        fixed = isinstance(self.random_state, Integral)
        return int(self.random_state) if fixed else self._fit_seed
