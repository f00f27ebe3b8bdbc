# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

import importlib.util
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import skal
from skal.cli import main
from skal.cli._app import app


def invoke(*arguments):
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "100"})


def test_version():
    result = invoke("--version")
    assert result.exit_code == 0
    assert result.output == f"skal {skal.__version__}\n"


def test_help_names_the_command_and_its_options():
    assert "demo" in invoke("--help").output
    result = invoke("demo", "--help")
    assert result.exit_code == 0
    for option in (
        "--rounds",
        "--n-queries",
        "--seeds",
        "--output",
        "--quick",
        "--model",
    ):
        assert option in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--rounds", "0"], "--rounds"),
        (["demo", "--n-queries", "-3"], "--n-queries"),
        (["demo", "--seeds", "0"], "--seeds"),
        (["dance"], "dance"),
    ],
)
def test_bad_arguments(arguments, message):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_output_must_be_a_folder(tmp_path):
    path = tmp_path / "file"
    path.touch()
    assert invoke("demo", "--output", str(path)).exit_code == 2


@pytest.mark.parametrize("name", ["matplotlib", "rich", "typer"])
def test_a_missing_extra_gets_a_remedy(name, monkeypatch, capsys):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda wanted, *args: None if wanted == name else find_spec(wanted, *args),
    )
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 1
    error = capsys.readouterr().err
    assert error == f'skal needs {name}. Run: pip install "skal[cli]"\n'


def test_main_runs_the_app(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["skal", "--version"])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 0
    assert skal.__version__ in capsys.readouterr().out


def test_options_are_read_without_heavy_imports():
    code = (
        "import sys; from skal.cli._app import app; "
        "print({'torch', 'transformers', 'matplotlib'} & set(sys.modules))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == "set()"
