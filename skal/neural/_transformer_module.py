# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Transformers as plain torch modules: tensors in, one tensor out."""

import torch


class SequenceClassifier(torch.nn.Module):
    """A transformer with a classification head whose `forward` returns the logits.

    Parameters
    ----------
    network : transformers.PreTrainedModel
        Any ``AutoModelForSequenceClassification``.
    """

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, **inputs):
        """Logits of shape (n_rows, n_classes)."""
        return self.network(**inputs).logits

    def forward_outputs(self, inputs, *, embedding=False):
        """Logits and, if asked for, what the last linear layer made them from.

        Parameters
        ----------
        inputs : dict of tensor
        embedding : bool, default=False

        Returns
        -------
        outputs : dict of tensor
            "logits" of shape (n_rows, n_classes) and "embedding" of shape (n_rows, d),
            with ``logits == embedding @ W.T + b`` for the last layer's W and b.
        """
        if not embedding:
            return {"logits": self(**inputs)}
        caught = []
        hook = self.last_linear.register_forward_pre_hook(
            lambda layer, args: caught.append(args[0])
        )
        try:
            logits = self(**inputs)
        finally:
            hook.remove()
        if len(caught) != 1 or caught[0].ndim != 2:
            raise ValueError(
                "An embedding is the input of the last linear layer, one vector per "
                f"text. {type(self.network).__name__} feeds that layer "
                f"{[tuple(tensor.shape) for tensor in caught]}; use a checkpoint with "
                "an encoder architecture such as BERT, DistilBERT or RoBERTa."
            )
        return {"logits": logits, "embedding": caught[0]}

    @property
    def last_linear(self):
        """The linear layer that makes the logits."""
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


def n_positions(module):
    """How many tokens a module has positions for; None if it sets no limit."""
    for name, layer in module.named_modules():
        if name.endswith("position_embeddings") and hasattr(layer, "num_embeddings"):
            padding = getattr(layer, "padding_idx", None)
            return layer.num_embeddings - (0 if padding is None else padding + 1)
    return None
