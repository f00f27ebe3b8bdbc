# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""skal query: rounds with files that a person fills in."""

import csv
import json
import resource

import pandas as pd
import pytest

ASK = ["-n", 8]


@pytest.fixture
def pool(write):
    return write("pool.csv", slice(60, 300), ["text"])


@pytest.fixture
def seed(write):
    return write("seed.csv", slice(60), ["text", "label"])


def read(path):
    if path.suffix == ".csv":
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def fill_in(path, answers, name, gaps=()):
    """As a person would: from the last row to the first, and not all of them."""
    lines = read(path)[::-1]
    for line in lines:
        id_ = str(line[name])
        line["label"] = None if id_ in gaps else answers[id_]
    frame = pd.DataFrame(lines)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True, force_ascii=False)


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize("pool_ending", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("has_ids", [True, False])
def test_the_round_trip(
    frame, write, seed, tmp_path, invoke, ending, pool_ending, has_ids
):
    rows = frame[60:300].reset_index(drop=True)
    names = rows["id"] if has_ids else rows.index.astype(str)
    answers = dict(zip(names, rows["label"], strict=True))
    texts = dict(zip(names, rows["text"], strict=True))
    name = "id" if has_ids else "row"
    pool = write(f"pool.{pool_ending}", slice(60, 300), ["id", "text"])
    options = ["--pool", pool, *ASK, *(["--id", "id"] if has_ids else [])]
    labelled, asked = ["--labelled", seed], []
    for number in range(4):
        batch = tmp_path / f"batch{number}.{ending}"
        result = invoke("query", *options, *labelled, "-o", batch)
        assert result.exit_code == 0, result.output
        lines = read(batch)
        assert list(lines[0]) == [name, "text", "label"]
        ids = [str(line[name]) for line in lines]
        assert [line["text"] for line in lines] == [texts[id_] for id_ in ids]
        assert {line["label"] for line in lines} <= {None, ""}
        assert len(set(ids)) == 8
        assert not set(ids) & set(asked), "asked again"
        asked += ids
        fill_in(batch, answers, name, gaps=ids[:3] if number != 1 else ids)
        labelled += ["--labelled", batch]
    assert "60 labels, 0 rows without; 60 rows are none of the pool's" in result.output
    assert f"batch1.{ending}: 0 labels, 8 rows without" in result.output
    assert f"batch2.{ending}: 5 labels, 3 rows without\n" in result.output


def test_the_format_of_files_decides_nothing(
    frame, pool, seed, write, tmp_path, invoke
):
    batches = []
    for ending in ("csv", "jsonl", "parquet"):
        pool = write(f"pool.{ending}", slice(60, 300), ["text"])
        seed = write(f"seed.{ending}", slice(60), ["text", "label"])
        batch = tmp_path / f"{ending}.jsonl"
        arguments = ["--pool", pool, "--labelled", seed, *ASK, "-o", batch]
        assert invoke("query", *arguments, "--strategy", "badge").exit_code == 0
        batches.append(read(batch))
    assert batches[0] == batches[1] == batches[2]


@pytest.mark.parametrize(
    "model", ["tfidf", pytest.param("skal-tiny", marks=pytest.mark.slow)]
)
def test_as_a_user_would(pool, seed, tmp_path, start, model):
    process = start(
        *("query", "--pool", "pool.csv", "--labelled", "seed.csv", "-o", "batch.csv"),
        *("--filter", "anchoral", "--strategy", "real", "--model", model),
        cwd=tmp_path,
    )
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    assert errors == ""
    assert out.splitlines()[1].startswith("Wrote 25 rows to batch.csv. Fill in 'label'")
    assert len(read(tmp_path / "batch.csv")) == 25


def test_texts_without_ids_that_the_pool_has_too(write, pool, tmp_path, invoke):
    seed = write("seed.csv", slice(50, 70), ["text", "label"])
    arguments = ["--pool", pool, "--labelled", seed, "-o", tmp_path / "o.csv"]
    result = invoke("query", *arguments)
    assert result.exit_code == 0
    assert "20 rows are none of the pool's, but 10 of their texts are" in result.output


def test_the_first_batch_is_random(pool, tmp_path, invoke):
    found = []
    for number in range(3):
        batch = tmp_path / f"{number}.jsonl"
        options = ["--pool", pool, *ASK, "-o", batch, "--seed", number // 2]
        result = invoke("query", *options)
        assert result.exit_code == 0
        assert "at random" in result.output
        found.append([line["row"] for line in read(batch)])
    assert found[0] == found[1] != found[2]


@pytest.mark.filterwarnings("default::skal.exceptions.PoolExhaustedWarning")
def test_numbers_that_a_gap_turned_into_floats(pool, tmp_path, invoke):
    seed, batch = tmp_path / "seed.csv", tmp_path / "batch.csv"
    seed.write_text("text,label\none thing,0\nother thing,1\nthird one,1\n")
    batch.write_text("row,label\n4,1.0\n7,\n9,0.0\n")
    options = ["--pool", pool, "--labelled", seed, "--labelled", batch, "-n", 300]
    result = invoke("query", *options, "-o", tmp_path / "o.jsonl")
    assert result.exit_code == 0, result.output
    assert result.stderr == (
        "Warning: 300 rows were asked for, 237 are left; these are returned.\n"
    )
    assert not {4, 7, 9} & {line["row"] for line in read(tmp_path / "o.jsonl")}


def test_labels_that_the_seed_lacks(pool, seed, tmp_path, invoke, fails, frame):
    batch, output = tmp_path / "batch.csv", tmp_path / "o.csv"
    label = frame["label"][0]
    batch.write_text(f"row,label\n3,{label}\n5,{label}x\n")
    options = ["--pool", pool, "--labelled", seed, "--labelled", batch, "-o", output]
    result = invoke("query", *options)
    message = f"batch.csv, line 3: '{label}x' is no label of {seed}. Did you mean"
    fails(result, 1, message, f"--add-label '{label}x'")
    assert not output.exists()
    assert invoke("query", *options, "--add-label", f"{label}x").exit_code == 0


def test_a_later_answer_replaces_an_earlier_one(pool, seed, tmp_path, invoke, frame):
    """Relabelled in a later file, or right at once: the same batch."""
    good, bad = frame["label"][63], sorted({*frame["label"]} - {frame["label"][63]})[0]
    found = []
    for labels in ([bad, good], [good, good]):
        arguments = ["--pool", pool, "--labelled", seed, *ASK]
        for number, label in enumerate(labels):
            batch = tmp_path / f"batch{number}.csv"
            batch.write_text(f"row,label\n3,{label}\n")
            arguments += ["--labelled", batch]
        output = tmp_path / "o.jsonl"
        result = invoke("query", *arguments, "-o", output, "--overwrite")
        assert result.exit_code == 0, result.output
        found.append(read(output))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("row,label\n240,x\n", "line 2: column 'row' holds the numbers of rows in the"),
        ("row,label\nabc,x\n", "Got 'abc'; pass the pool that the batch came from"),
        ("row,label\n,x\n", "line 2: every row must have an id in column 'row'"),
        (
            "row,label\n3,x\n3,y\n",
            "line 3: an id stands for one row. Got '3' in line 2",
        ),
        ("row,text,label\n3,other,x\n", "line 2: the text is not that of row '3'"),
    ],
)
def test_answers_to_another_pool(pool, tmp_path, invoke, fails, content, message):
    path = tmp_path / "batch.csv"
    path.write_text(content)
    arguments = ["--pool", pool, "--labelled", path, "-o", tmp_path / "o.csv"]
    fails(invoke("query", *arguments), 1, "batch.csv", message)
    assert not (tmp_path / "o.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--text", "txt"],
            "pool.csv has no column 'txt' (--text). It has 'text'. Did",
        ),
        (["--id", "key"], "pool.csv has no column 'key' (--id). It has 'text'"),
        (
            ["--label", "kind"],
            "seed.csv has no column 'kind' (--label). It has 'text', ",
        ),
        (["--strategy", "entorpy"], "Did you mean 'Entropy'?"),
        (["--label", "text"], "must be three columns. Got 'row', 'text', 'text'"),
        (["-o", "batch.xlsx"], "written as .csv or .jsonl. Got batch.xlsx"),
        (["-o", "no/such/batch.csv"], "There is no folder no/such"),
    ],
)
def test_what_was_typed_wrongly(
    pool, seed, invoke, fails, tmp_path, arguments, message
):
    output = tmp_path / "o.csv"
    standard = ["--pool", pool, "--labelled", seed, "-o", output]
    fails(invoke("query", *standard, *arguments), 2, message)
    assert not output.exists()


def test_labels_are_never_overwritten_by_mistake(pool, seed, tmp_path, invoke, fails):
    output = tmp_path / "batch.csv"
    output.write_text("hours of work")
    options = ["--pool", pool, "--labelled", seed, "-o", output]
    fails(invoke("query", *options), 2, "exists and may hold labels", "--overwrite")
    assert output.read_text() == "hours of work"
    assert invoke("query", *options, "--overwrite").exit_code == 0
    assert len(read(output)) == 25
    for path in (pool, seed):
        before = path.read_bytes()
        fails(invoke("query", *options[:-1], path, "--overwrite"), 2, "is read")
        assert path.read_bytes() == before


def test_ids_must_be_unique(tmp_path, invoke, fails):
    path = tmp_path / "pool.csv"
    path.write_text("id,text\na,one\na,two\n")
    result = invoke("query", "--pool", path, "--id", "id", "-o", tmp_path / "o.csv")
    fails(result, 1, f"{path}: column 'id' must be unique. Got 'a' more than once")


def test_a_pool_that_is_used_up(tmp_path, invoke, fails, write):
    pool = write("pool.csv", slice(3), ["id", "text"])
    done = write("done.csv", slice(3), ["id", "label"])
    output = tmp_path / "o.csv"
    options = ["--pool", pool, "--labelled", done, "--id", "id", "-o", output]
    fails(invoke("query", *options), 1, "No row of the pool is left")
    assert not output.exists()


def test_no_room(pool, seed, tmp_path, start):
    output = tmp_path / "batch.csv"
    process = start(
        *("query", "--pool", pool, "--labelled", seed, "-o", output),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.startswith(f"Error: {output} cannot be written (File too large). Ma")
    assert errors.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pool.csv", "seed.csv"]
