# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Transformers as plain torch modules: tensors in, one tensor out."""

import contextlib

import torch

from skal.neural._recipe import Head


class SequenceClassifier(torch.nn.Module):
    """A transformer with a classification head whose `forward` returns the logits.

    A text is represented by its first token ([CLS]) in an encoder, by its last token in
    a decoder (a linear `score` layer on every token) and by its end-of-sequence token
    in an encoder-decoder. The last token of a decoder is the last one attended to,
    whatever its id and on whichever side the padding is.

    Parameters
    ----------
    network : transformers.PreTrainedModel
        Any ``AutoModelForSequenceClassification``.

    Attributes
    ----------
    loss_module : LossModule or None
        Reads the hidden states, where training put one there.
    """

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.loss_module = None

    @property
    def is_decoder(self):
        """Whether the logits are made from the last token."""
        score = getattr(self.network, "score", None)
        is_head = isinstance(score, torch.nn.Linear | Head)
        return is_head and not self._is_encoder_decoder

    @property
    def _is_encoder_decoder(self):
        return bool(getattr(self.network.config, "is_encoder_decoder", False))

    def forward(self, **inputs):
        """Logits of shape (n_rows, n_classes).

        In training, where there is a loss module, a pair: the logits and its losses.
        """
        if self.training and self.loss_module is not None:
            found = self.forward_outputs(inputs, predicted_loss=True)
            return found["logits"], found["predicted_loss"]
        return self._run(inputs)[0]["logits"]

    def _run(self, inputs, **options):
        """The logits in a dict, and all that the network returned."""
        if not self.is_decoder:
            output = self.network(**inputs, **options)
            return {"logits": output.logits}, output
        output = self.network.base_model(**inputs, **options)
        last = _at(output.last_hidden_state, last_token(inputs["attention_mask"]))
        return {"logits": self.network.score(last)}, output

    def forward_outputs(
        self, inputs, *, embedding=False, hidden_states=False, predicted_loss=False
    ):
        """Logits and, if asked for, what they were made from.

        Parameters
        ----------
        inputs : dict of tensor
        embedding : bool, default=False
        hidden_states : bool, default=False
        predicted_loss : bool, default=False

        Returns
        -------
        outputs : dict of tensor
            "logits" of shape (n_rows, n_classes); "embedding" of shape (n_rows, d),
            with ``logits == embedding @ W.T + b`` for the last layer's W and b;
            "hidden_states" of shape (n_rows, n_layers + 1, d), the state of the token
            that stands for the text after the embedding and after each layer;
            "predicted_loss" of shape (n_rows,), by the loss module.

        Notes
        -----
        To get at the states transformers puts hooks on the module; around all batches,
        `left_as_it_was` takes them off again.
        """
        run = self._run_and_catch if embedding else self._run
        if not (hidden_states or predicted_loss):
            return run(inputs)[0]
        found, output = run(inputs, output_hidden_states=True)
        states = self._states(inputs, output)
        if hidden_states:
            found["hidden_states"] = torch.stack(states, dim=1)
        if predicted_loss:
            found["predicted_loss"] = self.loss_module(states)
        return found

    def state_sizes(self):
        """The width of the hidden state after the embedding and after each layer.

        Found by a pass of one token.
        """
        token = self.network.config.eos_token_id if self._is_encoder_decoder else 0
        device = next(self.parameters()).device
        inputs = {
            "input_ids": torch.full((1, 1), token, device=device),
            "attention_mask": torch.ones((1, 1), dtype=torch.int64, device=device),
        }
        was_training = self.training
        with torch.no_grad(), left_as_it_was(self):
            _, output = self.eval()._run(inputs, output_hidden_states=True)
        self.train(was_training)
        return [state.shape[-1] for state in self._states(inputs, output)]

    def _run_and_catch(self, inputs, **options):
        """The same, with the input of the last linear layer."""
        caught = []
        hook = self.last_linear.register_forward_pre_hook(
            lambda layer, args: caught.append(args[0])
        )
        try:
            found, output = self._run(inputs, **options)
        finally:
            hook.remove()
        if len(caught) != 1 or caught[0].ndim != 2:
            raise ValueError(
                "An embedding is the input of the last linear layer, one vector per "
                f"text. {type(self.network).__name__} feeds that layer "
                f"{[tuple(tensor.shape) for tensor in caught]}; use an encoder such as "
                "BERT, a decoder such as GPT-2 or an encoder-decoder such as T5."
            )
        return found | {"embedding": caught[0]}, output

    def _states(self, inputs, output):
        if self._is_encoder_decoder:
            layers = output.decoder_hidden_states
            is_end = inputs["input_ids"] == self.network.config.eos_token_id
            token = last_token(is_end)
        elif self.is_decoder:
            layers, token = output.hidden_states, last_token(inputs["attention_mask"])
        else:
            layers, token = output.hidden_states, torch.zeros_like(inputs["input_ids"])
            token = token[:, 0]
        return [_at(states, token) for states in layers]

    @property
    def last_linear(self):
        """The linear layer that makes the logits, or what took its place."""
        if self.is_decoder:
            return self.network.score
        heads = [part for part in self.network.modules() if isinstance(part, Head)]
        if heads:
            return heads[0]
        n_classes = self.network.config.num_labels
        layers = [
            layer
            for layer in self.network.modules()
            if isinstance(layer, torch.nn.Linear) and layer.out_features == n_classes
        ]
        if not layers:
            raise ValueError(
                "An embedding is the input of the last linear layer. "
                f"{type(self.network).__name__} has no linear layer with {n_classes} "
                "outputs; use a checkpoint with an encoder architecture such as BERT."
            )
        return layers[-1]

    def replace_last_linear(self, head):
        """Put a `Head` in the place of the layer that makes the logits."""
        old = self.last_linear
        for part in list(self.network.modules()):
            for name, child in part.named_children():
                if child is old:
                    setattr(part, name, head)


def last_token(is_token):
    """The column of the last token of each row; 0 in a row that has none."""
    column = torch.arange(is_token.shape[1], device=is_token.device)
    return (is_token * column).argmax(dim=1)


def _at(states, token):
    """The state of one token per row: (n, L, d) and (n,) to (n, d)."""
    return states[torch.arange(len(states), device=states.device), token]


@contextlib.contextmanager
def left_as_it_was(module):
    """Remove the hooks that transformers leaves behind: they cannot be pickled.

    Not batch by batch: a compiled module would be compiled again each time.
    """
    parts = list(module.modules())
    before = [(set(vars(part)), set(part._forward_hooks)) for part in parts]
    try:
        yield
    finally:
        for part, (names, hooks) in zip(parts, before, strict=True):
            for name in set(vars(part)) - names:
                delattr(part, name)
            for hook in set(part._forward_hooks) - hooks:
                del part._forward_hooks[hook]


class SentenceModule(torch.nn.Module):
    """A transformer without a head whose `forward` returns one vector per text.

    Parameters
    ----------
    network : transformers.PreTrainedModel
    pooling : {"mean", "cls"}
        The mean of the token vectors (padding left out) or the first token's vector.
    normalize : bool
        Whether vectors are divided by their euclidean length.
    """

    def __init__(self, network, *, pooling, normalize):
        super().__init__()
        self.network = network
        self.pooling = pooling
        self.normalize = normalize

    def forward(self, **inputs):
        """Vectors of shape (n_rows, d)."""
        tokens = self.network(**inputs).last_hidden_state
        if self.pooling == "cls":
            vectors = tokens[:, 0]
        else:
            mask = inputs["attention_mask"].unsqueeze(-1).to(tokens.dtype)
            vectors = (tokens * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        if self.normalize:
            vectors = torch.nn.functional.normalize(vectors, dim=1)
        return vectors


# What models call their table of one learned vector per position.
_POSITION_TABLES = ("position_embeddings", "wpe", "embed_positions")


def n_positions(module):
    """How many tokens a module has positions for; None if it sets no limit.

    Relative and rotary positions set none.
    """
    for name, layer in module.named_modules():
        if name.endswith(_POSITION_TABLES) and hasattr(layer, "num_embeddings"):
            padding = getattr(layer, "padding_idx", None)
            in_table = layer.num_embeddings - (0 if padding is None else padding + 1)
            promised = getattr(module.network.config, "max_position_embeddings", None)
            return in_table if promised is None else min(in_table, promised)
    return None
