# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Configuration files: what is wrong, in which line, and what was meant."""

import inspect
import re
from pathlib import Path

import pytest

from skal.cli._app import compare
from skal.cli._config import check_settings, line_of, read_config, tomllib
from skal.cli._errors import UsageError

GOOD = """\
# Two strategies.
strategies = ["Entropy", {name = "REAL", n_clusters = 5}]
filters = [
    "none",
    {name = "RandSub", max_subpool = 100},  # as filters
]
rounds = 2
seeds = [3, 5]

[data.first]
path = "a.csv"
text = "body"

[data."second one"]
path = "b.csv"
test = "b_test.csv"
"""


def test_the_settings_are_what_the_file_says(tmp_path):
    path = tmp_path / "compare.toml"
    path.write_text(GOOD)
    settings, text = read_config(path)
    assert text == GOOD
    assert settings["seeds"] == [3, 5]
    assert settings["strategies"][1] == {"name": "REAL", "n_clusters": 5}
    assert list(settings["data"]) == ["first", "second one"]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (["strategies"], 2),
        (["n_clusters"], 2),
        (["REAL", "n_clusters"], 2),
        (["filters", "max_subpool"], 5),
        (["seeds"], 8),
        (["data", "first", "path"], 11),
        (["data", "second one", "path"], 15),
        (["data", "second one", "test"], 16),
        (["data", "second one", "nowhere"], 14),
        (["nowhere"], None),
        ([], None),
    ],
)
def test_the_line_of_a_key(path, line):
    assert line_of(GOOD, path) == line


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "rounds =",
            "round =",
            "line 7: there is no key 'round'. Did you mean 'rounds'",
        ),
        ("seeds", "sedes", "line 8: there is no key 'sedes'. Did you mean 'seeds'?"),
        ("text", "txet", "line 12: there is no key of a data set 'txet'. .* 'text'"),
        (
            "rounds = 2",
            "rounds = -2",
            "line 7: rounds must be a whole number of at lea",
        ),
        ("rounds = 2", "rounds = 2.0", "line 7: rounds must be .* Got 2.0"),
        ("rounds = 2", "rounds = true", "line 7: rounds must be .* Got True"),
        ("[3, 5]", "0", "line 8: seeds must be how many, at least 1, or a list"),
        ('"a.csv"', "5", "line 11: path must be a file of rows"),
        ('path = "a.csv"', "", "line 10: path is missing"),
        ("rounds = 2", "rounds = two", "is no TOML file: .*line 7"),
        ("strategies", "# strategies", "compare.toml: strategies is missing"),
        ("[data.first]", "[data]", "line 11: Under data each data set has a table"),
        ("rounds = 2", "rounds = 2\nrounds = 3", "is no TOML file"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path, old, new, message):
    assert old in GOOD
    path = tmp_path / "compare.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(UsageError, match=message):
        read_config(path)


def test_the_examples_are_right():
    page = Path(__file__).parents[2] / "docs" / "command_line.rst"
    shown = re.search(r"code-block:: toml\n\n((?:    .*\n|\n)+)", page.read_text())
    texts = [shown[1], inspect.getdoc(compare).partition("\b\n")[2].replace("\b", "")]
    for text in texts:
        check_settings(tomllib.loads(text.partition("Every strategy")[0]))
        assert "skal-tiny" in text


def test_no_file_and_no_text(tmp_path):
    with pytest.raises(UsageError, match=r"There is no configuration file .*no\.toml"):
        read_config(tmp_path / "no.toml")
    (tmp_path / "latin.toml").write_bytes(b'output = "caf\xe9"\n')
    with pytest.raises(UsageError, match="not in UTF-8"):
        read_config(tmp_path / "latin.toml")


COMPARE = """\
strategies = ["Entropy"]
filters = ["none"]
model = "tfidf"

[data.questions]
path = "train.csv"
"""


@pytest.mark.parametrize(
    ("old", "new", "messages"),
    [
        (
            '"Entropy"',
            '"Entorpy"',
            ["line 1", "no strategy 'Entorpy'", "mean 'Entropy'"],
        ),
        (
            '"Entropy"',
            '{name = "REAL", n_cluster = 5}',
            ["line 1", "REAL has no parameter 'n_cluster'. Did you mean 'n_clusters'?"],
        ),
        (
            '"Entropy"',
            '{name = "REAL", n_clusters = 0}',
            ["line 1", "'n_clusters' parameter of REAL must be an int", "Got 0"],
        ),
        ('"Entropy"', "{n_clusters = 5}", ["line 1", "a table that holds a name"]),
        ('"Entropy"', '"Entropy", "entropy"', ["line 1", "Entropy is there twice"]),
        (
            '"Entropy"',
            '"CartographyAL"',
            ["line 1", "training_dynamics", "TransformerC"],
        ),
        ('"none"', "{max_subpool = 5}", ["line 2", "a table that holds a name"]),
        ('"none"', '"AnchorLA"', ["line 2", "no filter 'AnchorLA'", "mean 'AnchorAL'"]),
        (
            '"none"',
            '{name = "AnchorAL", strategy = "REAL"}',
            ["line 2", "AnchorAL has no parameter 'strategy'"],
        ),
        (
            '"tfidf"',
            '{name = "tfidf", logisticregression__c = 2.0}',
            ["line 3", "Did you mean 'logisticregression__C'?"],
        ),
        (
            '"tfidf"',
            '{name = "skal-tiny", lr = -1.0}',
            ["line 3", "'lr' parameter of TransformerClassifier must be a float"],
        ),
        ('"train.csv"', '"tarin.csv"', ["line 6", "There is no file", "tarin.csv"]),
        (
            '"train.csv"',
            '"train.csv"\ntext = "txt"',
            ["line 7", "no column 'txt' (--text). It has 'text', 'label'"],
        ),
        (
            'model = "tfidf"',
            'scoring = "f1-macro"',
            ["line 3", "There is no scorer 'f1-macro'. Did you mean 'f1_macro'?"],
        ),
        (
            'model = "tfidf"',
            "initial = {nowhere = 1}",
            ["line 3", "There is no label 'nowhere'."],
        ),
    ],
)
def test_compare_names_mistakes(tmp_path, write, invoke, fails, old, new, messages):
    write("train.csv", slice(60), ["text", "label"])
    path = tmp_path / "compare.toml"
    path.write_text(COMPARE.replace(old, new))
    result = invoke("compare", path)
    fails(result, 2, "compare.toml, ", *messages)
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == []
