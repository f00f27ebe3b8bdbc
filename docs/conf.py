# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Configuration of the documentation site. Building it needs no network."""

import csv
import importlib.metadata
from pathlib import Path

import matplotlib

matplotlib.use("agg")

project = "skal"
author = "The skal developers"
project_copyright = author
release = importlib.metadata.version("skal")
version = release

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = [
    "_build",
    "_tables",
    "auto_examples/**.ipynb",
    "auto_examples/**.py",
]
default_role = "code"
nitpicky = False

autosummary_generate = True
templates_path = ["_templates"]
autodoc_default_options = {
    "members": True,
    # What skal's own bases give is documented, what scikit-learn's give is not: its
    # docstrings refer to pages of its own site.
    "inherited-members": "BaseEstimator,ClassifierMixin,MetaEstimatorMixin,"
    "TransformerMixin,_BaseComposition",
    "exclude-members": "get_metadata_routing,set_output,set_fit_request,"
    "set_score_request,set_transform_request",
}
numpydoc_show_class_members = False  # autodoc lists them
numpydoc_xref_param_type = False

# :doi:`10.1000/1` without a network and without another extension.
extlinks = {"doi": ("https://doi.org/%s", "doi:%s")}
extensions.append("sphinx.ext.extlinks")

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "within_subsection_order": "FileNameSortKey",
}

html_theme = "pydata_sphinx_theme"
html_title = f"skal {version}"
html_theme_options = {
    "show_prev_next": False,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {"strategies": []}  # wide tables
html_show_sourcelink = False


def write_strategy_tables(app):
    """The tables of the page on strategies, out of the code itself."""
    from skal.strategies import list_strategies

    folder = Path(app.srcdir) / "_tables"
    folder.mkdir(exist_ok=True)
    cards = [
        {
            **card,
            "name": f":class:`~skal.strategies.{card['name']}`",
            "reads": ", ".join(card["reads"]) or "nothing",
            "cold_start": "yes" if card["cold_start"] else "no",
        }
        for card in list_strategies()
    ]
    tables = {
        "reads": ["name", "family", "reads", "cold_start"],
        "cost": ["name", "time", "memory"],
        "source": ["name", "paper", "agreement", "deviations"],
    }
    for table, columns in tables.items():
        path = folder / f"strategies_{table}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(column.replace("_", " ") for column in columns)
            writer.writerows([card[column] for column in columns] for card in cards)


def setup(app):
    """Called by Sphinx."""
    app.connect("builder-inited", write_strategy_tables)
