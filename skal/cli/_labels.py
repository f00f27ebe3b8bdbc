# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Labels and ids in files: gaps, numbers as text, numbers that became floats."""

import math


def as_written(table, name, option="--label"):
    """The labels of a table as str, as they were written, and None for a gap.

    A gap can turn the numbers of a column into floats, so 1.0 is taken for 1 where all
    labels are whole numbers.

    Parameters
    ----------
    table : Table
    name : str
        The column.
    option : str
        What named it.

    Returns
    -------
    list of str or None

    Raises
    ------
    ValueError
        If a label is neither text nor a whole number, or some are text and others are
        numbers.
    """
    values = table.column(name, option)
    labels, first = [], None
    for value, place in zip(values, table.places, strict=True):
        label = _as_text(value)
        if label is None and not is_gap(value):
            raise ValueError(
                f"{table.path}, {place}: a label is a text or a whole number. Got "
                f"{value!r:.60} in column {name!r}."
            )
        if label is not None:
            first = first or (value, place)
            if isinstance(value, str) != isinstance(first[0], str):
                raise ValueError(
                    f"{table.path}: column {name!r} must hold labels of one type. Got "
                    f"{first[0]!r} in {first[1]} and {value!r} in {place}."
                )
        labels.append(label)
    whole = all(_is_whole(label) for label in labels if label is not None)
    return [label and label.removesuffix(".0") for label in labels] if whole else labels


def is_gap(value):
    """Whether a cell is empty."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and math.isnan(value))


def _as_text(value):
    """A label as text, None for what is none."""
    if is_gap(value):
        return None
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(int(value)) if isinstance(value, int) else None


def common_type(labels):
    """A function from labels as written to what they become: int if all are whole.

    Parameters
    ----------
    labels : iterable of str or None
        All of them.

    Returns
    -------
    callable
        None stays None.
    """
    if not all(_is_whole(label) for label in labels if label is not None):
        return lambda label: label
    return lambda label: None if label is None else int(label)


def _is_whole(label):
    digits = label.removesuffix(".0")
    return digits.removeprefix("-").isdecimal() and str(int(digits)) == digits


def plain_id(value):
    """An id as JSON can hold it, None for a gap; 3.0 is 3, as with labels."""
    if is_gap(value):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else str(value).strip()
