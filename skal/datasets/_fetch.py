# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Benchmark sets from the Hugging Face hub."""

from skal.datasets._splits import bunch_of_splits, check_columns

# A set that the hub holds as a script is read from the hub's own conversion of it, for
# the library does not run scripts any more.
_CONVERTED = "refs/convert/parquet"

# Name -> what `fetch_hub` is given.
_BENCHMARKS = {
    "agnews": {"path": "fancyzhx/ag_news"},
    "imdb": {"path": "stanfordnlp/imdb"},
    "pubmed": {"path": "pietrolesci/pubmed-20k-rct", "label_column": "labels"},
    "snips": {"path": "benayas/snips", "label_column": "category"},
    "sst2": {
        "path": "stanfordnlp/sst2",
        "text_column": "sentence",
        "test_split": "validation",  # the labels of its test rows are not public
    },
    "trec": {
        "path": "CogComp/trec",
        "label_column": "coarse_label",
        "revision": _CONVERTED,
    },
    "wikitoxic": {
        "path": "OxAISH-AL-LLM/wiki_toxic",
        "text_column": "comment_text",
        "revision": _CONVERTED,
    },
}


def fetch_hub(
    path,
    *,
    name=None,
    text_column="text",
    label_column="label",
    train_split="train",
    test_split="test",
    revision=None,
    cache_dir=None,
):
    """Fetch a pool of texts and its test texts from the Hugging Face hub.

    Needs the package ``datasets``, which keeps what it downloaded.

    Parameters
    ----------
    path : str
        The id of a data set on the hub, or a local folder in one of the formats that
        ``datasets.load_dataset`` takes.
    name : str or None, default=None
        Which of the set's configurations, where there are several.
    text_column : str, default="text"
        The column of the texts.
    label_column : str, default="label"
        The column of the labels: ints, or str.
    train_split : str, default="train"
        The split that becomes the pool.
    test_split : str, default="test"
        The split that becomes the test set.
    revision : str or None, default=None
        A branch, tag or commit of the set; a commit makes sure that the rows are the
        same next year.
    cache_dir : path-like or None, default=None
        Where downloads are kept. None leaves that to ``datasets``.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        As of :func:`load_parquet_folder`.

    Raises
    ------
    ModuleNotFoundError
        If ``datasets`` is not installed.
    ValueError
        If a split or a column is missing, a text is no str, or a label is missing.

    See Also
    --------
    fetch_benchmark : The sets of the active learning literature by their names.

    Notes
    -----
    The texts are read into memory.
    """
    library = _import_datasets()
    cache_dir = None if cache_dir is None else str(cache_dir)
    found = library.load_dataset(path, name, revision=revision, cache_dir=cache_dir)
    splits = [
        _read(found, split, text_column, label_column, path)
        for split in (train_split, test_split)
    ]
    feature = found[train_split].features[label_column]
    return bunch_of_splits(*splits, getattr(feature, "names", None))


def fetch_benchmark(name, *, cache_dir=None):
    """Fetch a set on which active learning for text is often compared.

    Parameters
    ----------
    name : {"agnews", "imdb", "pubmed", "snips", "sst2", "trec", "wikitoxic"}
        See the table below.
    cache_dir : path-like or None, default=None
        As in :func:`fetch_hub`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        As of :func:`load_parquet_folder`.

    Raises
    ------
    ModuleNotFoundError
        If ``datasets`` is not installed.
    ValueError
        If the name is not one of those above.

    See Also
    --------
    fetch_hub : Any other set.
    make_imbalanced : The rare-class variants of them.

    Notes
    -----
    ============  ============================  ========================  =============
    name          on the hub                    what is classified        test split
    ============  ============================  ========================  =============
    agnews        fancyzhx/ag_news              topic of news             test
    imdb          stanfordnlp/imdb              sentiment of reviews      test
    pubmed        pietrolesci/pubmed-20k-rct    part of an abstract       test
    snips         benayas/snips                 intent of a request       test
    sst2          stanfordnlp/sst2              sentiment of phrases      validation
    trec          CogComp/trec                  kind of a question        test
    wikitoxic     OxAISH-AL-LLM/wiki_toxic      toxicity of a comment     test
    ============  ============================  ========================  =============

    The sets belong to those who made them; see their pages on the hub for licences and
    citations. ``imdb`` is sorted by class.
    """
    if name not in _BENCHMARKS:
        raise ValueError(
            f"name must be one of {', '.join(_BENCHMARKS)}. Got {name!r}; fetch_hub "
            "takes any other set of the hub."
        )
    return fetch_hub(**_BENCHMARKS[name], cache_dir=cache_dir)


def _read(found, split, text_column, label_column, path):
    if split not in found:
        raise ValueError(
            f"{path} has no split {split!r}. It has {', '.join(map(repr, found))}; "
            "name those to use: train_split=, test_split=."
        )
    columns = [text_column, label_column]
    check_columns(found[split].column_names, columns, f"Split {split!r} of {path}")
    rows = found[split].select_columns(columns).to_dict()
    return [rows[column] for column in columns]


def _import_datasets():
    try:
        import datasets
    except ImportError as error:
        raise ModuleNotFoundError(
            "Sets are fetched from the hub with the package datasets, which is not "
            "installed. Install it with: pip install 'skal[data]'"
        ) from error
    return datasets
