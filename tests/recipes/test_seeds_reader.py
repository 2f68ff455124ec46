"""Claim: every shape people keep seeds in is read alike, and every problem is told by its line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.core.errors import InputError
from selfsown.recipes.seeds import (
    Instance,
    SeedFileError,
    SeedProblem,
    SeedTask,
    check_seeds,
    inspect_seeds,
    read_seeds,
)
from selfsown.recipes.seeds.writing import seeds_to_jsonl

PUBLISHED = Path(__file__).parents[2] / "../shared/data/self_instruct/seed_tasks.jsonl"


def seed(number: int, **changes: object) -> dict[str, object]:
    words = ["amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath", "islet", "jade"]
    row: dict[str, object] = {
        "id": f"s{number}",
        "name": "",
        "instruction": f"{words[number % 10]} {number} unlike {words[(number * 7 + 3) % 10]}",
        "instances": [{"input": "", "output": "done"}],
        "is_classification": False,
    }
    return row | changes


def write(path: Path, *rows: Mapping[str, object] | str) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def only(problems: list[SeedProblem], rule: str) -> SeedProblem:
    found = [problem for problem in problems if problem.rule == rule]
    assert len(found) == 1, problems
    return found[0]


# --- shapes ---------------------------------------------------------------------------------


def test_the_self_instruct_shape_is_read_field_by_field(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", seed(1, name="n", instances=[{"input": "i", "output": "o"}]))
    assert read_seeds(path) == [
        SeedTask("s1", "n", "birch 1 unlike amber", (Instance("i", "o"),), False)
    ]


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "Say hi", "input": "", "output": "hi"},
        {"instruction": "Say hi", "output": "hi"},
        {"instruction": "Say hi", "instances": [{"output": "hi"}]},
        {"prompt": "Say hi", "completion": "hi"},
        {
            "messages": [
                {"role": "user", "content": "Say hi"},
                {"role": "assistant", "content": "hi"},
            ]
        },
        {"conversations": [{"from": "human", "value": "Say hi"}, {"from": "gpt", "value": "hi"}]},
    ],
)
def test_every_shape_becomes_the_same_task(row: dict[str, object], tmp_path: Path) -> None:
    expected = [SeedTask("row_0000", "", "Say hi", (Instance("", "hi"),), None)]
    assert read_seeds([row]) == expected
    assert read_seeds(write(tmp_path / "a.jsonl", row)) == expected
    assert read_seeds(write(tmp_path / "a.json", json.dumps([row], indent=2))) == expected
    assert read_seeds(write(tmp_path / "b.json", json.dumps(row, indent=2))) == expected


def test_csv_rows_of_one_instruction_become_one_task(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "instruction,input,output,is_classification\n"
        'Name the mood,"so happy,\nreally",good,true\n'
        "Count to two,,1 2,\n"
        "Name the mood,so sad,bad,true\n",
        encoding="utf-8",
    )
    assert read_seeds(path) == [
        SeedTask(
            "row_0000",
            "",
            "Name the mood",
            (Instance("so happy,\nreally", "good"), Instance("so sad", "bad")),
            True,
        ),
        SeedTask("row_0001", "", "Count to two", (Instance("", "1 2"),), None),
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_separators_and_byte_order_mark_of_spreadsheets_are_accepted(
    separator: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    rows = [["Instruction", "Output"], ["Grüße", "hallo"]]
    path.write_text("\r\n".join(separator.join(r) for r in rows), encoding="utf-8-sig", newline="")
    assert read_seeds(path)[0].instruction == "Grüße"


def test_python_rows_may_be_tasks_that_were_read_before() -> None:
    tasks = read_seeds("starter")
    assert read_seeds(tasks[10:30]) == tasks[10:30]


def test_text_lines_are_seeds_without_instances_only_where_allowed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "Describe a glacier", "", "List three spices")
    tasks = read_seeds(path, require_instances=False)
    assert [(t.instruction, t.instances) for t in tasks] == [
        ("Describe a glacier", ()),
        ("List three spices", ()),
    ]
    rules = {p.rule: p.severity for p in check_seeds(path, require_instances=False)}
    assert rules["no-instances"] == "warning"
    with pytest.raises(SeedFileError, match="no instance"):
        read_seeds(path)


def test_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    text = "\r\n".join(json.dumps(seed(n)) for n in range(8))
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert len(read_seeds(path)) == 8


def test_line_separators_inside_text_do_not_end_a_row(tmp_path: Path) -> None:
    row = json.dumps(seed(1, instruction="one\u2028two"), ensure_ascii=False)
    assert read_seeds(write(tmp_path / "a.jsonl", row))[0].instruction == "one\u2028two"


# --- problems by line -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "rule", "says"),
    [
        ('{"instruction": x}', "malformed-json", "column 17: Expecting value"),
        ('{"instruction": "x"} {}', "malformed-json", "column 22: Extra data"),
        ('{"instruction": "x", "n": NaN}', "malformed-json", "`NaN` is not JSON"),
        ("[" * 100_000, "malformed-json", "malformed JSON"),
        ("<!DOCTYPE html>", "malformed-json", "column 1"),
        ('{"instruction": "x", "instruction": "y", "output": "z"}', "duplicate-key", "twice"),
        ('"just text"', "not-an-object", "the text `just text`"),
        ("42", "not-an-object", "the number 42"),
        (json.dumps({"output": "x"}), "no-instruction", "no `instruction`"),
        (json.dumps(seed(1, instruction="  ")), "empty-instruction", "empty"),
        (json.dumps(seed(1, instruction=5)), "wrong-type", "`instruction` is the number 5"),
        (json.dumps(seed(1, instruction=None)), "no-instruction", "no `instruction`"),
        (json.dumps(seed(1, instances=[])), "no-instances", "no instance"),
        (json.dumps(seed(1, instances={})), "wrong-type", "`instances` is an object"),
        (json.dumps(seed(1, instances=["x"])), "wrong-type", "`instances[1]` is the text"),
        (json.dumps(seed(1, instances=[{"output": ""}])), "empty-output", "instance 1"),
        (json.dumps(seed(1, instances=[{"output": ["a"]}])), "wrong-type", "output of instance 1"),
        (json.dumps(seed(1, is_classification="maybe")), "wrong-type", "`is_classification`"),
        (json.dumps(seed(1, id=["x"])), "wrong-type", "`id` is a list"),
        (json.dumps(seed(1, instruction="a\ud83d")), "lone-surrogate", "U+D83D"),
        (json.dumps(seed(1, instruction="a\x00b")), "control-character", "U+0000"),
        (json.dumps(seed(1, instruction="\x1b[31mred")), "control-character", "U+001B"),
        (json.dumps({"prompt": [{"role": "user"}]}), "wrong-type", "`prompt` is a list"),
        (json.dumps({"messages": [{"role": "system"}]}), "no-user-message", "`messages`"),
        (json.dumps({"messages": "hi"}), "wrong-type", "`messages` is the text"),
    ],
)
def test_a_bad_line_is_named_by_number_and_alone_is_left_out(
    bad: str, rule: str, says: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.jsonl", seed(2), "", bad, seed(3))
    report = inspect_seeds(path)
    problem = next(p for p in report.errors if p.rule == rule)
    assert problem.line == 3
    assert says in problem.what
    assert problem.why
    assert problem.fix
    assert [task.id for task in report.tasks] == ["s2", "s3"]
    with pytest.raises(SeedFileError, match="line 3"):
        read_seeds(path)


def test_a_misspelt_key_is_recognised(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"instuction": "Say hi", "output": "hi"})
    assert "`instuction`" in only(check_seeds(path), "no-instruction").fix


def test_repeated_ids_and_instructions_name_the_first_line(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        seed(1),
        seed(2, id="s1"),
        seed(3, instruction="Birch 1  UNLIKE amber"),
    )
    problems = check_seeds(path)
    assert "line 1" in only(problems, "duplicate-id").what
    assert only(problems, "duplicate-id").line == 2
    assert "line 1" in only(problems, "duplicate-instruction").what
    assert only(problems, "duplicate-instruction").line == 3


def test_flat_rows_that_contradict_or_repeat_each_other_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "instruction,output,is_classification\nPick,a,true\nPick,b,false\nPick,a,true\n",
        encoding="utf-8",
    )
    problems = check_seeds(path)
    assert only(problems, "contradicting-flag").line == 3
    assert only(problems, "repeated-instance").line == 4
    assert only(problems, "repeated-instance").severity == "warning"


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        ("question,answer\na,b\n", "bad-header", 1),
        ("instruction,output,output\na,b,c\n", "bad-header", 1),
        ("instruction,output\na,b\n\nc,d,e\n", "malformed-csv", 4),
        ('instruction,output\n"a\nb",c\n"open,d\n', "malformed-csv", 4),
        ("instruction,output\na,\n", "no-instances", 2),
    ],
)
def test_csv_problems_are_named_by_line(text: str, rule: str, line: int, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    assert only(check_seeds(path), rule).line == line


@pytest.mark.parametrize(
    ("text", "line", "kept"),
    [
        ('[\n{"instruction": "a", "output": "b"},\n{"instruction": }\n]', 3, 1),
        ('[\n{"instruction": "a", "output": "b"}\n', 3, 1),
        ('[\n{"instruction": "a", "output": "b"}\n{}]', 3, 1),
        ('[\n{"instruction": "a", "output": "b"}\n]\nmore', 4, 1),
        ('[{"instruction": "a", "output": "b"},]', 1, 1),
    ],
)
def test_a_broken_json_list_is_named_by_line_and_read_up_to_it(
    text: str, line: int, kept: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    report = inspect_seeds(path)
    assert [p.line for p in report.errors] == [line]
    assert len(report.tasks) == kept


def test_rows_of_a_json_list_carry_the_line_they_begin_on(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[\n {"instruction": "a",\n  "output": "b"},\n\n {"output": "c"}]', "utf-8")
    assert only(check_seeds(path), "no-instruction").line == 5


def test_a_list_wrapped_in_an_object_says_how_to_unwrap_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", json.dumps({"version": 1, "data": [seed(1)]}))
    assert "jq" in only(check_seeds(path), "wrapped-list").fix


# --- whole files ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "rule", "says"),
    [
        (b"", "empty-file", "empty"),
        (b" \n\n", "empty-file", "empty"),
        (b"[]", "no-seeds", "no seed"),
        ('{"instruction": "x"}'.encode("utf-16"), "wrong-encoding", "UTF-16"),
        ('{"instruction": "x"}'.encode("utf-16-le"), "wrong-encoding", "UTF-16"),
        ('{"instruction": "x"}'.encode("utf-32"), "wrong-encoding", "UTF-32"),
        (b"\x1f\x8b\x08\x00", "not-text", "gzip"),
        (b"PK\x03\x04xl/worksheets", "not-text", "ZIP"),
        (b"PAR1\x15\x04", "not-text", "Parquet"),
    ],
)
def test_a_file_that_holds_no_seeds_says_what_it_is(
    data: bytes, rule: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    with pytest.raises(SeedFileError) as caught:
        read_seeds(path)
    assert caught.value.problems[0].rule == rule
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_byte_that_is_not_utf8_spoils_its_own_row_only(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'{"instruction": "caf\xe9", "output": "x"}\n{"instruction": "b", "output": "c"}'
    )
    report = inspect_seeds(path)
    problem = only(list(report.errors), "not-utf8")
    assert (problem.line, len(report.tasks)) == (1, 1)
    assert "0xe9" in problem.what
    assert "iconv" in problem.fix


def test_a_missing_file_suggests_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path / "my_seeds.jsonl", seed(1))
    with pytest.raises(SeedFileError) as caught:
        read_seeds(tmp_path / "my_seed.jsonl")
    assert f"did you mean `{tmp_path / 'my_seeds.jsonl'}`?" in caught.value.fix


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("startr", "did you mean `starter`?"),
        ("self-instruct", "selfsown seeds get self-instruct"),
        ("nowhere/at/all.jsonl", "the folder `nowhere/at` does not exist either"),
        ("starter:0", "write for example `starter:25`"),
        ("starter:ten", "write for example `starter:25`"),
        ("starter:100000", "ask for at most"),
        ("a\0b", "check its path"),
    ],
)
def test_a_wrong_name_says_what_to_do(name: str, says: str) -> None:
    with pytest.raises(SeedFileError) as caught:
        read_seeds(name)
    assert says in caught.value.fix


def test_a_folder_names_a_file_in_it(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", seed(1))
    with pytest.raises(SeedFileError) as caught:
        read_seeds(tmp_path)
    assert str(tmp_path / "x.jsonl") in caught.value.fix


def test_many_errors_are_one_error_that_shows_the_first_and_counts_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path / "bad seeds.jsonl", *["{}"] * 9, seed(1))
    with pytest.raises(SeedFileError) as caught:
        read_seeds(path)
    error = caught.value
    assert isinstance(error, InputError)
    assert len(error.problems) == 9
    assert "9 errors in 10 seed rows" in error.what
    assert "line 5:" in error.what
    assert "line 6:" not in error.what
    assert "and 4 more" in error.what
    assert f"selfsown seeds check '{path}' --drop-invalid -o clean.jsonl" in error.fix


def test_python_rows_are_named_by_row_and_get_no_file_command() -> None:
    rows: list[Mapping[str, object]] = [{"instruction": "a", "output": "b"}, {"output": "c"}]
    with pytest.raises(SeedFileError) as caught:
        read_seeds(rows)
    assert "`the given rows` row 2" in caught.value.what
    assert "selfsown seeds check" not in caught.value.fix


def test_hostile_ids_reach_the_message_escaped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", seed(1, id="\x1b[2Jx", instruction=""), "{}")
    with pytest.raises(SeedFileError) as caught:
        read_seeds(path)
    assert "\x1b" not in str(caught.value)
    assert "\\x1b[2Jx" in str(caught.value)


# --- warnings about the set -----------------------------------------------------------------


def test_warnings_do_not_stop_a_run(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", seed(1), seed(2))
    assert only(check_seeds(path), "too-few-seeds").severity == "warning"
    assert len(read_seeds(path)) == 2


def test_near_duplicates_are_warned_about_with_line_and_score(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        *[seed(n) for n in range(8)],
        seed(8, instruction="List five uses of a paper clip"),
        seed(9, instruction="List six uses of a paper clip"),
    )
    problem = only(check_seeds(path), "near-duplicate")
    # 6 of 7 tokens in common: F = 2 * 6 / (7 + 7) = 0.857
    assert problem.line == 10
    assert "line 9 (ROUGE-L 0.86)" in problem.what


def test_one_sided_labels_are_warned_about(tmp_path: Path) -> None:
    labels = ["yes", "yes", "yes", "yes", "no"]
    one_sided = [{"input": f"{n}", "output": label} for n, label in enumerate(labels)]
    path = write(
        tmp_path / "a.jsonl",
        *[seed(n) for n in range(8)],
        seed(8, is_classification=True, instances=one_sided),
    )
    problem = only(check_seeds(path), "unbalanced-labels")
    assert "80% of the 5 instances have the label `yes`" in problem.what
    balanced = [{"input": f"{n}", "output": "yes" if n % 2 else "no"} for n in range(6)]
    fair = [seed(n) for n in range(8)] + [seed(8, is_classification=True, instances=balanced)]
    assert check_seeds(fair) == []


# --- built-in and published sets ------------------------------------------------------------


def test_the_lab_seeds_are_read_by_name_and_count() -> None:
    if not resources.files("selfsown").joinpath("lab/seeds.jsonl").is_file():
        pytest.skip("the lab's seeds are not packaged yet")
    tasks = read_seeds("lab")
    assert read_seeds("lab:25") == tasks[:25]
    assert [p for p in check_seeds("lab") if p.severity == "error"] == []


def test_the_published_seeds_are_read_completely() -> None:
    if not PUBLISHED.is_file():
        pytest.skip("the published seeds are not beside the checkout (shared/data/self_instruct)")
    tasks = read_seeds(PUBLISHED)
    assert len(tasks) == 175
    assert sum(task.is_classification is True for task in tasks) == 26
    assert sum(not i.input for task in tasks for i in task.instances) == 50
    raw = [json.loads(line) for line in PUBLISHED.read_text(encoding="utf-8").splitlines()]
    assert [task.to_mapping() for task in tasks] == raw


# --- properties -----------------------------------------------------------------------------

clean_text = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\n"), min_size=1
).filter(str.strip)
instances = st.lists(
    st.builds(Instance, clean_text | st.just(""), clean_text), min_size=1, max_size=3
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(clean_text, instances, st.none() | st.booleans()), min_size=1))
def test_what_is_written_is_read_back_unchanged(
    parts: list[tuple[str, list[Instance], bool | None]],
) -> None:
    tasks = [
        SeedTask(f"t{n}", "", f"{n} {instruction}", tuple(examples), flag)
        for n, (instruction, examples, flag) in enumerate(parts)
    ]
    rows = [json.loads(line) for line in seeds_to_jsonl(tasks).split("\n") if line]
    assert read_seeds(rows) == tasks


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=200), suffix=st.sampled_from([".jsonl", ".json", ".csv", ".txt"]))
def test_no_bytes_whatever_make_the_checker_crash(
    data: bytes, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"fuzz{suffix}"
    path.write_bytes(data)
    report = inspect_seeds(path)
    assert report.tasks or report.errors


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
fields = st.sampled_from(
    ["id", "name", "instruction", "instances", "input", "output", "messages", "prompt"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(fields, json_values) | json_values, max_size=4))
def test_no_json_whatever_makes_the_checker_crash(rows: list[dict[str, object]]) -> None:
    report = inspect_seeds(rows)
    assert report.tasks or report.errors
