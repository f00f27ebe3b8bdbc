# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the strategies share that train networks on labelled and pool rows."""

from abc import abstractmethod
from numbers import Integral, Real

from skal.base import Reads, ScoreStrategy
from skal.utils._random import draw_seed
from skal.utils._sklearn import HasMethods, Interval, StrOptions


class AdversarialStrategy(ScoreStrategy):
    """Base of the strategies that train networks on labelled and pool rows."""

    draws_from_pool = True

    _parameter_constraints = {
        "encoder": [StrOptions({"auto"}), HasMethods(["fit", "transform"]), None],
        "hidden_layer_sizes": ["array-like"],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "device": [str],
        "random_state": ["random_state"],
    }

    @property
    def reads(self):
        """Embeddings of the pool and of the labelled rows, or encodings."""
        if self.encoder is None:
            embedding = frozenset({"embedding"})
            return Reads(pool=embedding, labeled=embedding)
        own_encoder = not isinstance(self.encoder, str)
        return Reads(pool=frozenset() if own_encoder else frozenset({"encoding"}))

    def _score(self, view):
        rng = view.rng(self.random_state)
        if not len(view.labeled):
            return rng.random_sample(len(view))
        from skal import neural

        module = self._train(neural, view, draw_seed(rng))
        return self._judge(neural.run_vectors(module, module, self._vectors(view)))

    @abstractmethod
    def _train(self, neural, view, seed):
        """The networks, trained on the rows of the view and the labelled ones."""

    @abstractmethod
    def _judge(self, outputs):
        """Scores of the pool's rows by the networks' outputs for them."""

    def _vectors(self, view):
        return view.embedding if self.encoder is None else view.encode(self.encoder)

    def _labeled_vectors(self, view):
        if self.encoder is None:
            return view.labeled.embedding
        return view.encode_labeled(self.encoder)

    def _training(self, neural, seed):
        """What both kinds of networks are trained with."""
        return {
            "hidden_layer_sizes": self.hidden_layer_sizes,
            "n_components": self.n_components,
            "n_steps": self.n_steps,
            "batch_size": self.batch_size,
            "lr": self.lr,
            "seed": seed,
            "device": neural.resolve_device(self.device),
        }
