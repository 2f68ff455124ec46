"""Claim: students are measured rightly, and one that was killed ends like one that was not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("tokenizers")
pytest.importorskip("transformers")

import tokenizers
import torch
import transformers

from selfsown.core.errors import ConfigError, InputError
from selfsown.lab.tokenizer import END_OF_TEXT_ID
from selfsown.lab.weights import weights_folder
from selfsown.sweep.measure import Cloze, HeldOut, answer, read_tasks
from selfsown.sweep.student import NO_TOKEN, Shape, train_student
from selfsown.train.pretrain import build_model

SHAPE = Shape(width=16, layers=1, heads=2, row_tokens=24, batch_rows=4, points=4)
TEXTS = ["The capital of France is Paris.", "A bear is a mammal. The sound of a bear is growl."]


def _rows() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(2, 500, (40, 25), generator=generator).to(torch.int16)
    rows[:, 0] = END_OF_TEXT_ID
    rows[::3, 20:] = NO_TOKEN
    return rows


def _measure(model: transformers.LlamaForCausalLM) -> Mapping[str, float]:
    return {"weights": float(model.get_input_embeddings().weight.detach().abs().sum())}


class Killed(Exception):
    pass


def test_a_killed_student_ends_like_one_that_was_not(tmp_path: Path) -> None:
    whole = train_student(_rows(), 3, SHAPE, _measure, tmp_path, save_every_s=1e9)
    points: list[str] = []

    def tell(line: str) -> None:
        points.append(line)
        if len(points) == 3:
            raise Killed

    with pytest.raises(Killed):
        train_student(_rows(), 3, SHAPE, _measure, tmp_path, save_every_s=-1, tell=tell)
    again = train_student(_rows(), 3, SHAPE, _measure, tmp_path, save_every_s=1e9)
    assert again.curve == whole.curve
    with pytest.raises(ConfigError, match="another student"):
        train_student(_rows(), 4, SHAPE, _measure, tmp_path)


def test_filled_rows_count_only_what_is_read(tmp_path: Path) -> None:
    rows = _rows()
    student = train_student(rows, 0, SHAPE, _measure, tmp_path)
    assert student.curve[-1].tokens == int((rows[:, 1:] != NO_TOKEN).sum())
    assert [point.tokens for point in student.curve] == sorted({p.tokens for p in student.curve})


def test_a_documents_loss_is_that_of_the_document_alone() -> None:
    tokenizer = tokenizers.Tokenizer.from_file(str(weights_folder() / "tokenizer.json"))
    model = build_model(SHAPE.settings(0, 1, 1)).eval()
    together = HeldOut(tokenizer, TEXTS, 100).losses(model)
    for text, loss in zip(TEXTS, together, strict=True):
        ids = torch.tensor(
            [[END_OF_TEXT_ID, *tokenizer.encode(text, add_special_tokens=False).ids]]
        )
        with torch.no_grad():
            reference = model(input_ids=ids, labels=ids).loss
        assert loss == pytest.approx(float(reference), rel=2e-3)  # bfloat16


def test_the_likelihood_of_an_end_is_that_of_its_tokens_after_the_prompt() -> None:
    tokenizer = tokenizers.Tokenizer.from_file(str(weights_folder() / "tokenizer.json"))
    model = build_model(SHAPE.settings(0, 1, 1)).eval()
    task = Cloze("a", "facts", "The capital of France is", (" Paris.", " the home of a fox."))
    (found,) = answer(model, tokenizer, [task])
    begin = len(tokenizer.encode(task.prompt, add_special_tokens=False).ids) + 1

    def nats(end: str) -> float:
        whole = tokenizer.encode(task.prompt + end, add_special_tokens=False).ids
        ids = torch.tensor([[END_OF_TEXT_ID, *whole]])
        with torch.no_grad():
            chances = model(input_ids=ids).logits.log_softmax(-1)[0]
        return -sum(float(chances[at - 1, ids[0, at]]) for at in range(begin, ids.shape[1]))

    assert found.nats == pytest.approx(nats(" Paris."), rel=5e-3)
    assert found.is_right == (nats(" Paris.") < nats(task.choices[1]))


@pytest.mark.parametrize(
    "row", ['{"prompt": "x", "choices": ["a"]}', '{"prompt": "x", "choices": ["a", "a"]}', "3"]
)
def test_a_task_without_two_different_ends_is_refused_by_row(tmp_path: Path, row: str) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text('{"prompt": "x", "choices": ["a", "b"]}\n' + row + "\n")
    with pytest.raises(InputError, match="row 2"):
        read_tasks(path)
