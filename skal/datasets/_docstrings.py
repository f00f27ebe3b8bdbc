# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Real sentences from the docstrings of installed packages."""

import contextlib
import importlib.metadata
import importlib.util
import re
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch, check_random_state

from skal.datasets._prose import (
    docstrings,
    is_english,
    paragraphs,
    plain,
    split_sentences,
)
from skal.utils._sklearn import Interval, validate_parameter_constraints

# Import name -> the other names a sentence may call the package by.
_KNOWN = {
    "joblib": (),
    "matplotlib": ("mpl", "pyplot", "plt", "pylab"),
    "networkx": ("nx",),
    "numpy": ("np",),
    "pandas": ("pd",),
    "scipy": ("sp",),
    "sklearn": ("scikit-learn", "scikit learn", "scikit"),
    "skorch": (),
    "sympy": (),
    "torch": ("pytorch", "libtorch"),
    "transformers": ("hugging face", "huggingface"),
}
_MASK = "[LIB]"
_MAX_FILES = 100
_SKIPPED_FOLDERS = {"_vendor", "externals", "extern", "test", "testing", "tests"}

_DESCR = """\
Sentences from docstrings
-------------------------

Each row is one English sentence found in the docstrings of an installed package, and
its label is that package: the one the sentence documents. Nothing is downloaded, so the
rows depend on which packages, and which versions of them, are installed (`versions`).

Sentences are taken from prose paragraphs only, stripped of markup, and kept when they
read as English. A sentence occurs once; one that several packages share is left out.
Names of packages are replaced by [LIB], so that no sentence holds its label. Classes
are as imbalanced as the packages' documentation is.
"""

_CONSTRAINTS = {
    "packages": ["array-like", None],
    "min_words": [Interval(Integral, 1, None, closed="left")],
    "max_words": [Interval(Integral, 1, None, closed="left")],
    "max_per_package": [Interval(Integral, 1, None, closed="left"), None],
    "return_X_y": ["boolean"],
    "random_state": ["random_state"],
}


def load_docstrings(
    packages=None,
    *,
    min_words=6,
    max_words=40,
    max_per_package=None,
    return_X_y=False,
    random_state=None,
):
    """Load real English sentences, labelled by the package that they document.

    The sentences are harvested from the docstrings of Python packages installed here,
    by reading their source: no package is imported and nothing is downloaded. They are
    cleaned of markup and code, deduplicated, and the names of packages in them are
    replaced by ``[LIB]``, so that no sentence holds its label.

    Parameters
    ----------
    packages : list of str or None, default=None
        Import names of top-level packages, at least two. None takes those installed
        among joblib, matplotlib, networkx, numpy, pandas, scipy, sklearn, skorch,
        sympy, torch and transformers.
    min_words, max_words : int, default=6, 40
        The length of the sentences that are kept, in words.
    max_per_package : int or None, default=None
        At most so many sentences per package, spread evenly over its sources. None
        keeps all.
    return_X_y : bool, default=False
        Return ``(data, target)`` in place of the Bunch.
    random_state : int, RandomState instance or None, default=None
        With None the rows are sorted by package, file and line. Otherwise they are
        shuffled with this seed.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        With the attributes

        data : list of str, of length n_sentences
            The sentences, each one different.
        target : ndarray of shape (n_sentences,), dtype=int64
            Index of each sentence's package in `target_names`.
        target_names : list of str
            Import names of the packages that have sentences, sorted.
        versions : dict of str to str
            The version of each package, as far as its metadata tell it.
        DESCR : str
            What the data are.
    (data, target) : tuple, if ``return_X_y=True``
        The first two of them.

    Raises
    ------
    ModuleNotFoundError
        If a package named in `packages` is not installed.
    ValueError
        If `packages` is a string or names fewer than two packages, if `min_words`
        exceeds `max_words`, if another parameter is of the wrong type or out of
        range, or if nothing is found.

    Notes
    -----
    Of a package with more than 100 source files, 100 are read, evenly spread over the
    sorted list; test folders and vendored code are skipped. Time is that of parsing the
    files: half a second for a large package. The same installation gives the same
    rows in the same order.

    Examples
    --------
    >>> from skal.datasets import load_docstrings
    >>> bunch = load_docstrings(["joblib", "skorch"])
    >>> bunch.target_names
    ['joblib', 'skorch']
    >>> len(bunch.data) == len(bunch.target)
    True
    """
    _check_parameters(
        packages=packages,
        min_words=min_words,
        max_words=max_words,
        max_per_package=max_per_package,
        return_X_y=return_X_y,
        random_state=random_state,
    )
    folders = _find_folders(packages)
    mask = _masker(folders)
    harvest = {
        name: _harvest(folder, mask, min_words, max_words)
        for name, folder in folders.items()
    }
    harvest = _drop_shared(harvest)
    if max_per_package is not None:
        harvest = {name: _spread(x, max_per_package) for name, x in harvest.items()}
    names = [name for name, sentences in harvest.items() if sentences]
    data = [sentence for name in names for sentence in harvest[name]]
    if not data:
        raise ValueError(
            f"The docstrings of {', '.join(folders)} hold no sentence of {min_words} "
            f"to {max_words} words. Name other packages or allow other lengths."
        )
    target = np.repeat(np.arange(len(names)), [len(harvest[name]) for name in names])
    if random_state is not None:
        order = check_random_state(random_state).permutation(len(data))
        data, target = [data[i] for i in order], target[order]
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=names,
        versions=_versions(names),
        DESCR=_DESCR,
    )


def _check_parameters(**params):
    validate_parameter_constraints(_CONSTRAINTS, params, "load_docstrings")
    packages = params["packages"]
    if packages is not None and len(set(packages)) < 2:
        raise ValueError(
            "packages must be a list of at least two import names, because each is one "
            f"class. Got {packages!r}."
        )
    if params["min_words"] > params["max_words"]:
        raise ValueError(
            f"min_words must not exceed max_words. Got min_words={params['min_words']} "
            f"and max_words={params['max_words']}."
        )


def _find_folders(packages):
    """{import name: source folder}, sorted by name."""
    names = sorted(_KNOWN if packages is None else set(packages))
    folders = {name: _folder(name) for name in names}
    missing = [name for name in names if folders[name] is None]
    if packages is not None and missing:
        raise ModuleNotFoundError(
            f"Every package in `packages` must be installed as a folder of Python "
            f"files. Not found: {', '.join(missing)}. Install it, or leave it out "
            "(give import names: 'sklearn', not 'scikit-learn')."
        )
    return {name: folder for name, folder in folders.items() if folder is not None}


def _folder(name):
    """The folder of a top-level package, found without importing it; None if absent."""
    if not isinstance(name, str) or not name.isidentifier():
        return None
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _versions(names):
    # Before Python 3.11 the mapping lacks packages that are built without setuptools.
    distributions = importlib.metadata.packages_distributions()
    versions = {}
    for name in names:
        distribution = distributions.get(
            name, [name.replace("sklearn", "scikit-learn")]
        )
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(distribution[0])
    return versions


def _harvest(folder, mask, min_words, max_words):
    """{key: sentence} of a package; the key is the sentence's words in lower case."""
    sentences = {}
    for path in _source_files(folder):
        for docstring in docstrings(path.read_bytes()):
            for paragraph in paragraphs(docstring):
                for sentence in split_sentences(mask(plain(paragraph))):
                    if is_english(sentence, min_words, max_words):
                        key = " ".join(re.findall(r"[a-z0-9]+", sentence.lower()))
                        sentences.setdefault(key, sentence)
    return sentences


def _source_files(folder):
    """The package's source files, sorted, at most _MAX_FILES evenly spread ones."""
    relative = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*.py")
    )
    kept = [
        name
        for name in relative
        if _SKIPPED_FOLDERS.isdisjoint(name.split("/")[:-1])
        and not name.split("/")[-1].startswith(("test_", "conftest"))
    ]
    return [folder / name for name in _spread(kept, _MAX_FILES)]


def _spread(items, n):
    """At most `n` of `items`, evenly spread, in order."""
    if len(items) <= n:
        return list(items)
    return [items[i] for i in np.arange(n) * len(items) // n]


def _drop_shared(harvest):
    """{package: [sentence, ...]} of the sentences that one package alone has."""
    owners = {}
    for sentences in harvest.values():
        for key in sentences:
            owners[key] = owners.get(key, 0) + 1
    return {
        name: [sentence for key, sentence in sentences.items() if owners[key] == 1]
        for name, sentences in harvest.items()
    }


def _masker(folders):
    """A function that replaces the names of packages in a text by _MASK."""
    names = {alias for name, aliases in _KNOWN.items() for alias in (name, *aliases)}
    either = "|".join(
        re.escape(name).replace(r"\ ", r"[\s-]+")
        for name in sorted(names | set(folders), key=lambda name: (-len(name), name))
    )
    prefix = re.compile(rf"\b(?:{either})\.(?=[A-Za-z_])", flags=re.IGNORECASE)
    name = re.compile(rf"(?<![\w-])(?:{either})(?![\w])", flags=re.IGNORECASE)

    def mask(text):
        return name.sub(_MASK, prefix.sub("", text))

    return mask
