# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How much of the vocabulary batches cover, and how unsure they are."""

import numpy as np

from skal.inspection._batch_display import BatchDisplay
from skal.inspection._drawing import check_installed
from skal.metrics import batch_uncertainty, queried_labels, token_diversity
from skal.utils._arrays import check_proba


class DiversityUncertaintyDisplay(BatchDisplay):
    """How much of the pool's vocabulary each batch covers, and how unsure it is.

    :meth:`from_simulation` makes it. All parameters are stored as attributes.

    Parameters
    ----------
    diversity : dict of str to array-like of shape (n_batches,)
        For each method the similarity of each batch's tokens to those of the rest.
    uncertainty : dict of str to array-like of shape (n_batches,)
        The mean entropy of the batch, of a model that was trained on everything.
    rounds : dict of str to array-like of int of shape (n_batches,)
        The round of each batch.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        The figure of these axes.
    scatters_ : list of matplotlib PathCollection
        The batches of each method.

    See Also
    --------
    skal.metrics.token_diversity, skal.metrics.batch_uncertainty : The measures.

    Notes
    -----
    Larger batches cover more of the vocabulary: compare batches of one size.

    References
    ----------
    M. Yuan, H.-T. Lin and J. Boyd-Graber. Cold-start Active Learning through
    Self-supervised Language Modeling. EMNLP 2020, Figure 3.
    :doi:`10.18653/v1/2020.emnlp-main.637`

    Examples
    --------
    >>> from skal.inspection import DiversityUncertaintyDisplay
    >>> display = DiversityUncertaintyDisplay(
    ...     diversity={"ALPS": [0.3, 0.4], "random": [0.2, 0.2]},
    ...     uncertainty={"ALPS": [0.5, 0.5], "random": [0.4, 0.3]},
    ...     rounds={"ALPS": [1, 2], "random": [1, 2]},
    ... )
    >>> len(display.plot().scatters_)
    2
    """

    _x = "uncertainty", "uncertainty $G_u$ (nats)"
    _y = "diversity", "diversity $G_d$"

    def __init__(self, *, diversity, uncertainty, rounds):
        self.diversity = diversity
        self.uncertainty = uncertainty
        self.rounds = rounds

    @classmethod
    def from_simulation(
        cls, table, tokens, proba, *, exclude=(), dataset=None, ax=None, **plot_params
    ):
        """Draw all batches in the table of a simulation, but the initial rows.

        Parameters
        ----------
        table : Bunch, dict, pandas.DataFrame or path-like
            What :func:`~skal.simulate` returned, or the folder it was given.
        tokens : array-like of int of shape (n, L), or sequence of n sequences of int
            The token ids of each text of the pool:
            ``AutoTokenizer.from_pretrained(...)(texts)["input_ids"]``.
        proba : array-like of shape (n, C)
            What a classifier trained on all labels predicts of the pool.
        exclude : array-like of int, default=()
            Token ids that do not count, as in :func:`~skal.metrics.token_diversity`.
        dataset : str, default=None
            Which data set. None: the only one.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **plot_params : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : DiversityUncertaintyDisplay
            As it was drawn.

        Raises
        ------
        ValueError
            If the table lacks a column or a round, `tokens` and `proba` differ in
            length, or the folder is of another version of skal.
        TypeError
            If `table` is something else.
        ImportError
            If matplotlib is not installed.
        """
        check_installed("matplotlib", f"{cls.__name__}.from_simulation")
        proba = check_proba(proba)
        if len(proba) != len(tokens):
            raise ValueError(
                "tokens and proba must be of the same texts, those of the pool. Got "
                f"{len(tokens)} and {len(proba)}."
            )
        asked = queried_labels(table, np.arange(len(proba)), dataset=dataset)
        batches = {
            name: [(t, run[t]) for run in runs for t in range(1, len(run))]
            for name, runs in asked.items()
        }
        display = cls(
            diversity={
                name: [
                    token_diversity(tokens, rows, exclude=exclude) for _, rows in pairs
                ]
                for name, pairs in batches.items()
            },
            uncertainty={
                name: [batch_uncertainty(proba[rows]) for _, rows in pairs]
                for name, pairs in batches.items()
            },
            rounds={name: [t for t, _ in pairs] for name, pairs in batches.items()},
        )
        return display.plot(ax, **plot_params)
