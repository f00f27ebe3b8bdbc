# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a classifier's checkpoint says about texts before any training."""

from numbers import Integral

import numpy as np

from skal.text._encoder import SentenceEncoder
from skal.utils._random import draw_seed, peek_seed
from skal.utils._validation import check_texts


class PretrainedMixin:
    """The methods of `TransformerClassifier` that need no fit."""

    _masked_lm = None  # (model, tokenizer, module) of the last `token_surprisal`

    def pretrained_encoder(self):
        """The checkpoint before any training, as an encoder. Works before `fit`.

        Returns
        -------
        encoder : SentenceEncoder
            Unfitted; same model, `max_length`, `device` and `max_batch_tokens`.
        """
        return SentenceEncoder(
            self.model,
            max_length=self.max_length,
            device=self.device,
            max_batch_tokens=self.max_batch_tokens,
            verbose=self.verbose,
        )

    def token_surprisal(self, X, picked=0.15, *, masked=False, random_state=None):
        """How unexpected tokens are to the pretrained masked language model.

        Works before `fit`, and is the same after: the checkpoint is never fine-tuned
        here. The texts go in as they are, with nothing masked, unless `masked` is set.

        Parameters
        ----------
        X : sequence of str of length n
            Texts.
        picked : float or array of bool of shape (n, L), default=0.15
            The probability with which a token is picked, each by itself; or the tokens,
            column j being the j-th token of a text, special tokens counted. Special
            tokens and padding never are picked.
        masked : bool, default=False
            Whether the model reads the texts with the picked tokens corrupted as in
            pretraining: 80 % of them are masked, 10 % replaced by any token.
        random_state : int, RandomState instance or None, default=None
            Decides which tokens are picked and how they are corrupted. A token's draw
            depends on it, on the text and on the position only, so equal texts have
            equal rows wherever they stand. None takes the classifier's own
            `random_state`.

        Returns
        -------
        surprisal : ndarray of shape (n, L), dtype float32
            ``-log p(token | text)``, natural logarithm, of the picked tokens; 0
            elsewhere. L is `max_length`, or the model's positions if they are fewer.

        Raises
        ------
        MissingCapabilityError
            If the checkpoint has no masked-language-model head or, with `masked`, no
            mask token.
        ValueError
            If X holds something that is not a str, or `picked` is neither a number in
            (0, 1] nor a boolean array of that shape.

        See Also
        --------
        skal.functional.surprisal_embedding : The rows, scaled to length 1.

        Notes
        -----
        One forward pass of the encoder; its head runs on the picked tokens only, so
        that nothing of n x L x vocabulary is built. The model is kept for the next
        call, and is not pickled.

        References
        ----------
        M. Yuan, H.-T. Lin and J. Boyd-Graber. Cold-start Active Learning through
        Self-supervised Language Modeling. EMNLP 2020.
        :doi:`10.18653/v1/2020.emnlp-main.637`
        """
        from skal import neural

        texts, picked = check_texts(X), _check_picked(picked)
        seed = self.random_state if random_state is None else random_state
        seed = draw_seed(None) if seed is None else peek_seed(seed)
        device = neural.resolve_device(self.device)
        tokenizer, module = self._load_masked_lm()
        return neural.token_surprisal(
            texts,
            picked,
            module.to(device),
            tokenizer,
            max_length=self.max_length,
            seed=seed,
            masked=masked,
            max_batch_tokens=self.max_batch_tokens,
            mixed_precision=self.mixed_precision,
            verbose=self.verbose,
        )

    def _load_masked_lm(self):
        from skal import neural

        if self._masked_lm is None or self._masked_lm[0] != self.model:
            tokenizer = neural.load_tokenizer(self.model, verbose=self.verbose)
            module = neural.load_masked_language_model(self.model, verbose=self.verbose)
            self._masked_lm = (self.model, tokenizer, module)
        return self._masked_lm[1:]

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("_masked_lm", None)
        return state


def _check_picked(picked):
    """A float, or a boolean array whose shape is checked once the tokens are known."""
    if np.ndim(picked):
        return np.asarray(picked)
    is_number = isinstance(picked, (Integral, float, np.floating))
    if isinstance(picked, bool) or not is_number or not 0 < picked <= 1:
        raise ValueError(
            "picked must be a share of the tokens in (0, 1], or a boolean array. Got "
            f"{picked!r}."
        )
    return float(picked)
