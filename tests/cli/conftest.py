# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Files with real sentences, and the command as a user runs it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import skal
from skal.cli._app import app
from skal.datasets import load_docstrings

COMMAND = [sys.executable, "-c", "from skal.cli import main; main()"]


@pytest.fixture(scope="session")
def invoke():
    """Runs the command in this process: quick, and warnings are errors."""
    runner = CliRunner()

    def invoke(*arguments):
        return runner.invoke(app, [*map(str, arguments)], env={"COLUMNS": "100"})

    return invoke


@pytest.fixture(scope="session")
def start():
    """Starts the command in a process of its own."""
    path = os.pathsep.join([str(Path(skal.__file__).parents[1]), *sys.path])
    env = {**os.environ, "COLUMNS": "100", "PYTHONPATH": path}

    def start(*arguments, **options):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        command = [*COMMAND, *map(str, arguments)]
        return subprocess.Popen(command, **pipes | {"env": env} | options)

    return start


@pytest.fixture(scope="session")
def fails():
    """Checks that a command ended with a code and one line that says some things."""

    def fails(result, code, *messages):
        assert result.exit_code == code, result.output
        lines = result.stderr.splitlines()
        assert [line.startswith("Error: ") for line in lines].count(True) == 1, lines
        assert "Traceback" not in result.output
        for message in messages:
            assert message in lines[-1]

    return fails


@pytest.fixture(scope="session")
def wait_for():
    """Waits until a comparison has finished some runs: by progress, not by time."""

    def wait_for(process, folder, n_runs):
        runs = folder / "runs"
        while len(list(runs.glob("*.jsonl")) if runs.is_dir() else ()) < n_runs:
            assert process.poll() is None
            time.sleep(0.005)

    return wait_for


@pytest.fixture(scope="session")
def frame():
    """500 real questions or sentences with labels that are words, and ids."""
    folder = Path(__file__).parents[2].parent / "shared" / "data" / "trec"
    if folder.is_dir():
        frame = pd.read_parquet(folder / "train.parquet").head(500)
        names = json.loads((folder / "labels.json").read_text())
        labels = [names[code] for code in frame["label"]]
        frame = pd.DataFrame({"text": frame["text"], "label": labels})
    else:
        bunch = load_docstrings(["joblib", "skorch", "numpy"], random_state=0)
        labels = [bunch.target_names[code] for code in bunch.target]
        frame = pd.DataFrame({"text": bunch.data, "label": labels}).head(500)
    return frame.assign(id=[f"q{i}" for i in range(len(frame))])


@pytest.fixture
def write(frame, tmp_path):
    """Writes some rows of the frame to a file and returns its path."""

    def write(name, rows, columns):
        part, path = frame.iloc[rows][columns], tmp_path / name
        if path.suffix == ".csv":
            part.to_csv(path, index=False)
        elif path.suffix == ".jsonl":
            part.to_json(path, orient="records", lines=True)
        else:
            part.to_parquet(path, index=False)
        return path

    return write
