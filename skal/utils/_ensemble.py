# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What an ensemble does once its members are fitted."""

import numpy as np
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skal.exceptions import MissingCapabilityError
from skal.utils._capabilities import align_proba, compute_outputs, last_step
from skal.utils._rows import num_rows
from skal.utils._validation import check_count


def _estimator_offers(method):
    """Whether the classifier given has a method that needs no fit."""

    def check(self):
        getattr(last_step(self.estimator), method)
        return True

    return check


class EnsembleMixin:
    """Prediction by members, which are samples of class probabilities.

    A class with it has the parameters `estimator`, of which the members are clones, and
    `stochastic`; its `fit` sets `estimators_`, the fitted members, and `classes_`.
    """

    def sample_proba(self, X, n_samples=None):
        """Class probabilities by each member.

        Parameters
        ----------
        X : sequence of length n
            Rows.
        n_samples : int, default=None
            How many members to ask, the first ones; None, or more than there are, asks
            all of them. With ``stochastic=True``, how many samples to draw, any number:
            sample t is drawn with the dropout of member t modulo the number of members;
            None draws one of each.

        Returns
        -------
        samples : ndarray of shape (n_samples, n, n_classes), dtype float64
            Columns in the order of `classes_`. At most `n_estimators` samples, unless
            ``stochastic=True``.
        """
        return self.predict_outputs(X, ["samples"], n_samples=n_samples)["samples"]

    def predict_proba(self, X):
        """Class probabilities, the mean of the members'.

        Parameters
        ----------
        X : sequence of length n
            Rows.

        Returns
        -------
        proba : ndarray of shape (n, n_classes), dtype float64
            Columns in the order of `classes_`. Nothing is dropped, whatever
            `stochastic` is.
        """
        return self.predict_outputs(X, ["proba"])["proba"]

    def predict(self, X):
        """The class with the largest mean probability.

        Parameters
        ----------
        X : sequence of length n
            Rows.

        Returns
        -------
        labels : ndarray of shape (n,)
            Elements of `classes_`; of equal probabilities the lower class.
        """
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]

    def predict_outputs(self, X, outputs, *, n_samples=None):
        """Probabilities and samples together, each member asked once.

        Parameters
        ----------
        X : sequence of length n
            Rows. Texts are tokenised once for all members that keep tokens.
        outputs : iterable of str
            "proba" and "samples" are given; other names are left out.
        n_samples : int, default=None
            As in `sample_proba`.

        Returns
        -------
        values : dict of ndarray
            What `predict_proba` and `sample_proba` return.
        """
        check_is_fitted(self)
        outputs = [outputs] if isinstance(outputs, str) else outputs
        wanted = {"proba", "samples"}.intersection(outputs)
        if "samples" in wanted and n_samples is not None:
            check_count(n_samples, "n_samples")
        if not wanted:
            return {}
        X = self._with_tokens(X)
        if "samples" not in wanted:
            return {"proba": self._mean_proba(X)}
        ask = self._draw if self.stochastic else self._ask
        return ask(X, wanted, n_samples)

    @available_if(_estimator_offers("pretrained_encoder"))
    def pretrained_encoder(self):
        """The estimator's checkpoint before any training. Works before `fit`.

        Returns
        -------
        encoder : SentenceEncoder
            Unfitted; see :class:`~skal.TransformerClassifier`.
        """
        return last_step(self.estimator).pretrained_encoder()

    @available_if(_estimator_offers("token_surprisal"))
    def token_surprisal(self, X, picked=0.15, *, masked=False, random_state=None):
        """How unexpected tokens are to the estimator's checkpoint. Works before `fit`.

        Parameters
        ----------
        X : sequence of str of length n
            Texts.
        picked : float or array of bool of shape (n, L), default=0.15
            The probability with which a token is picked, or the tokens.
        masked : bool, default=False
            Whether the picked tokens are corrupted first, as they were in pretraining.
        random_state : int, RandomState instance or None, default=None
            Decides which tokens are picked. None takes that of the estimator.

        Returns
        -------
        surprisal : ndarray of shape (n, L), dtype float32
            See :meth:`skal.TransformerClassifier.token_surprisal`.
        """
        return last_step(self.estimator).token_surprisal(
            X, picked, masked=masked, random_state=random_state
        )

    @available_if(lambda self: hasattr(self.estimator, "keep_tokens"))
    def keep_tokens(self, X):
        """Texts that remember their tokens, so that members tokenise them once.

        Parameters
        ----------
        X : sequence of str of length n
            Texts.

        Returns
        -------
        texts : sequence of str of length n
            See :class:`~skal.TransformerClassifier`.
        """
        return self.estimator.keep_tokens(X)

    def _with_tokens(self, X):
        return self.keep_tokens(X) if hasattr(self, "keep_tokens") else X

    def _mean_proba(self, X):
        """The mean, with the probabilities of one member at a time."""
        total = sum(self._proba_of(member, X) for member in self.estimators_)
        return total / len(self.estimators_)

    def _ask(self, X, wanted, n_samples):
        """Samples that are the members' probabilities, and their mean if wanted."""
        members = self.estimators_
        if "proba" not in wanted:
            members = members[:n_samples]
        samples = np.empty((len(members), num_rows(X), len(self.classes_)))
        for member, sample in zip(members, samples, strict=True):
            sample[:] = self._proba_of(member, X)
        found = {"samples": samples[:n_samples]}
        if "proba" in wanted:
            found["proba"] = samples.mean(axis=0)
        return found

    def _draw(self, X, wanted, n_samples):
        """Samples drawn with the dropout of each member in turn, in one pass of it."""
        n_members = len(self.estimators_)
        n_samples = n_members if n_samples is None else n_samples
        shape = (num_rows(X), len(self.classes_))
        found = {"samples": np.empty((n_samples, *shape))}
        if "proba" in wanted:
            found["proba"] = np.zeros(shape)
        for m, member in enumerate(self.estimators_):
            draws = found["samples"][m::n_members]
            asked = wanted if len(draws) else wanted - {"samples"}
            given = compute_outputs(member, X, asked, self.classes_, len(draws))
            draws[:] = given.get("samples", draws)
            if "proba" in wanted:
                found["proba"] += given["proba"] / n_members
        return found

    def _proba_of(self, member, X):
        if hasattr(member, "predict_proba"):
            proba = member.predict_proba(X)
            return align_proba(proba, last_step(member), self.classes_)
        votes = np.asarray(member.predict(X))[:, None] == self.classes_
        return votes.astype(np.float64)

    def _check_draws(self):
        """Refuse, before any work, members that cannot draw samples."""
        classifier = last_step(self.estimator)
        if self.stochastic and not hasattr(classifier, "sample_proba"):
            raise MissingCapabilityError(
                "stochastic=True draws samples with the members' own dropout, by their "
                f"method `sample_proba`. {type(classifier).__name__} has none; use "
                "skal.TransformerClassifier or skal.text.DenseClassifier, or "
                "stochastic=False."
            )

    def _note_features(self):
        """Set what the members know of the features, forget what they do not."""
        for name in ("n_features_in_", "feature_names_in_"):
            vars(self).pop(name, None)
            if hasattr(self.estimators_[0], name):
                setattr(self, name, getattr(self.estimators_[0], name))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.classifier_tags = inner.classifier_tags
        tags.target_tags = inner.target_tags
        tags.non_deterministic = inner.non_deterministic
        return tags


def unrounded(member):
    """A fitted member that comes back from another process as it is.

    What is pickled on its way must not lose precision by its `store_dtype`: a fit gives
    the same with any `n_jobs`. `gathered` undoes it.
    """
    return _set(member, dict.fromkeys(_store_dtypes(member), "float32"))


def gathered(members, template):
    """Fitted members that store their weights as the template says.

    Those of one checkpoint hold one tokenizer, in memory and in a pickle.
    """
    stored = _store_dtypes(template)
    for member in members:
        _set(member, {name: stored[name] for name in _store_dtypes(member)})
    classifiers = map(last_step, members)
    sharing = [clf for clf in classifiers if hasattr(clf, "_share_tokenizer")]
    for classifier in sharing[1:]:
        classifier._share_tokenizer(sharing[0])
    return members


def _store_dtypes(estimator):
    """The parameters that say in which precision a pickle holds weights."""
    params = estimator.get_params()
    return {
        name: value
        for name, value in params.items()
        if name.rpartition("__")[2] == "store_dtype"
    }


def _set(estimator, params):
    return estimator.set_params(**params) if params else estimator
