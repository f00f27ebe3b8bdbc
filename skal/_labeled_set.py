# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The labelled set: rows with labels, in the order and the rounds they were given."""

from dataclasses import dataclass, field

import numpy as np

from skal.utils._rows import concat_rows, copy_rows, num_rows, take_rows


@dataclass(frozen=True)
class LabeledSet:
    """Rows, labels, rounds, ids and row-aligned fit parameters, all of one length.

    Never changed in place: every method returns a new one.
    """

    X: object
    y: np.ndarray
    rounds: np.ndarray
    ids: list
    params: dict = field(default_factory=dict)

    @classmethod
    def of(cls, X, y, *, round_, ids=None, params=None):
        """A labelled set of copies, all its labels given in one round."""
        n_rows = len(y)
        return cls(
            X=copy_rows(X),
            y=np.array(y),
            rounds=np.full(n_rows, round_, dtype=np.int64),
            ids=[None] * n_rows if ids is None else list(ids),
            params={name: copy_rows(value) for name, value in (params or {}).items()},
        )

    def __len__(self):
        return len(self.y)

    def join(self, new):
        """With the rows of another set below; a row whose id is known replaces it."""
        if set(self.params) != set(new.params):
            raise ValueError(
                "Row-aligned fit parameters must be given for all labelled rows or for "
                f"none. Earlier rows have {sorted(self.params)}, the new ones "
                f"{sorted(new.params)}."
            )
        if (self.y.dtype.kind in "OSU") != (new.y.dtype.kind in "OSU"):
            raise TypeError(
                f"Labels must be of one type. Earlier ones are {self.y.dtype}, the new "
                f"ones {new.y.dtype}."
            )
        order = self._order_with(new)
        params = {
            name: take_rows(concat_rows(self.params[name], new.params[name]), order)
            for name in self.params
        }
        return LabeledSet(
            X=take_rows(concat_rows(self.X, new.X), order),
            y=np.concatenate([self.y, new.y])[order],
            rounds=np.concatenate([self.rounds, new.rounds])[order],
            ids=[(self.ids + new.ids)[i] for i in order],
            params=params,
        )

    def _order_with(self, new):
        """Positions in old-then-new; a new row of a known id takes the old place."""
        place = {id_: i for i, id_ in enumerate(self.ids) if id_ is not None}
        order = list(range(len(self)))
        for i, id_ in enumerate(new.ids, start=len(self)):
            if id_ in place:
                order[place[id_]] = i
            else:
                order.append(i)
        return np.asarray(order, dtype=np.int64)


def split_params(params, n_rows):
    """Fit parameters with one value per row, and the others."""
    aligned = {
        name: value
        for name, value in params.items()
        if hasattr(value, "__len__")
        and not isinstance(value, (str, dict))
        and num_rows(value) == n_rows
    }
    return aligned, {k: v for k, v in params.items() if k not in aligned}
