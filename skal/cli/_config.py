# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Configuration files: what may stand in them, and in which line something does."""

import contextlib
import re
import sys

from skal.cli._errors import UsageError
from skal.cli._names import meant

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_config(path):
    """The settings in a TOML file, each of the right type, and its text.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    settings : dict
    text : str

    Raises
    ------
    UsageError
        With the line, if the file is no TOML, a key is unknown or missing, or a value
        has a wrong type.
    """
    if not path.is_file():
        raise UsageError(f"There is no configuration file {path}.")
    try:
        text = path.read_bytes().decode("utf-8")
        settings = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not in UTF-8; save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML file: {error}") from error
    with located(path, text):
        check_settings(settings)
    return settings, text


@contextlib.contextmanager
def located(path, text):
    """Say of errors in the block in which line of a configuration file they lie.

    Parameters
    ----------
    path : pathlib.Path
    text : str
        What the file holds.
    """
    try:
        yield
    except UsageError as error:
        line = line_of(text, error.path)
        place = f"{path.name}, line {line}" if line else path.name
        raise UsageError(f"{place}: {error}") from error


def line_of(text, path):
    """The number of the line where the last word of a path stands, None without one.

    Each word is looked for after the one before it, outside comments.
    """
    lines = [re.sub(r"(^|\s)#.*", "", line) for line in text.splitlines()]
    found = -1
    for word in path:
        pattern = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])")
        start = max(found, 0)
        rest = (i for i in range(start, len(lines)) if pattern.search(lines[i]))
        found = next(rest, found)
    return found + 1 if found >= 0 else None


def check_settings(settings):
    """Refuse keys that are not known or missing, and values of a wrong type."""
    _check_keys(settings, _KEYS, "key")
    for name, data in settings["data"].items():
        if not isinstance(data, dict):
            raise UsageError(
                f"Under data each data set has a table of its own: [data.{name}]. Got "
                f"{data!r:.60}.",
                "data",
                name,
            )
        _check_keys(data, _DATA_KEYS, "key of a data set", "data", name)


def _check_keys(settings, known, kind, *path):
    for key, value in settings.items():
        if key not in known:
            raise UsageError(
                f"there is no {kind} {key!r}.{meant(key, known)} There are "
                f"{', '.join(known)}.",
                *path,
                key,
            )
        check, rule, _ = known[key]
        if not check(value):
            raise UsageError(f"{key} must be {rule}. Got {value!r:.60}.", *path, key)
    for key, (_, rule, needed) in known.items():
        if needed and key not in settings:
            raise UsageError(f"{key} is missing; it must be {rule}.", *path)


def _is_text(value):
    return isinstance(value, str) and value != ""


def _is_count(value, least=1):
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_rounds(value):
    return _is_count(value, 0)


def _is_spec(value):
    return _is_text(value) or (isinstance(value, dict) and bool(value))


def _is_specs(value):
    return _is_spec(value) or _is_list_of(_is_spec, value)


def _is_list_of(check, value):
    return isinstance(value, list) and bool(value) and all(map(check, value))


def _is_initial(value):
    counts = (
        isinstance(value, dict) and bool(value) and all(map(_is_count, value.values()))
    )
    return _is_count(value) or counts


def _is_seeds(value):
    return _is_count(value) or _is_list_of(_is_rounds, value)


def _is_texts(value):
    return _is_text(value) or _is_list_of(_is_text, value)


def _is_share(value):
    return isinstance(value, float) and 0 < value < 1


def _is_table(value):
    return isinstance(value, dict) and bool(value)


def _is_jobs(value):
    return isinstance(value, int) and not isinstance(value, bool) and value != 0


_NAMES = 'a name, a table such as {name = "...", parameter = 1}, or a list of these'
_TEXT = "a text"

# key: (check, what it must be, whether it must be there)
_KEYS = {
    "strategies": (_is_specs, _NAMES, True),
    "filters": (_is_specs, _NAMES, False),
    "model": (_is_spec, "a name, or a table that holds one", False),
    "rounds": (_is_rounds, "a whole number of at least 0", False),
    "n_queries": (_is_count, "a whole number of at least 1", False),
    "initial": (
        _is_initial,
        "a whole number of at least 1, or a table {label = number}",
        False,
    ),
    "seeds": (_is_seeds, "how many, at least 1, or a list of numbers", False),
    "scoring": (_is_texts, "the name of a scorer, or a list of names", False),
    "output": (_is_text, "a folder", False),
    "jobs": (_is_jobs, "a whole number other than 0", False),
    "data": (_is_table, "tables, one per data set: [data.name]", True),
}
_DATA_KEYS = {
    "path": (_is_text, "a file of rows, or a folder with train and test", True),
    "test": (_is_text, "a file of rows", False),
    "test_share": (_is_share, "a number between 0.0 and 1.0", False),
    "text": (_is_text, "the name of a column", False),
    "label": (_is_text, "the name of a column", False),
}
