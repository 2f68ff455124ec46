"""Claim: a loop turns another base when its config names another folder, or says why it cannot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from selfsown.cli.main import cli
from selfsown.core.errors import InputError, SelfsownError
from selfsown.core.randomness import rng_for
from selfsown.lab import corpus
from selfsown.loop.base import base_uri, check_base, tuned_uri
from selfsown.loop.config import LoopConfig, make_loop_config
from selfsown.loop.places import LoopPlaces
from selfsown.loop.rounds import LoopResult, turn

if TYPE_CHECKING:
    from tokenizers import Tokenizer

pytest.importorskip("trl", reason="training needs the extra `local`")

FORM: dict[str, Any] = {
    "seeds": "lab:25",
    "suites": ["lab-plain"],
    "suite_limit": 6,
    "rounds": 1,
    "target": 4,
    "train": {"preset": "lab", "threads": 1, "max_steps": 3},
    "guard": {"reference": "lab", "m": 40, "audit": 4},
}
CHAT = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
KINDS = (corpus.instruction_list, corpus.example_sheet, corpus.classification_sheet)
BRIEF_STEPS, BRIEF_ROWS, BRIEF_LENGTH = 200, 8, 256


def config(base: Path | str, out: Path, **changes: Any) -> LoopConfig:
    return make_loop_config({**FORM, "base": str(base), "out": str(out), **changes})


def texts() -> list[str]:
    """120 documents of the lab: few enough to be learned in seconds."""
    return [corpus.text_of(KINDS[n % 3](rng_for(0, "brief", n))) for n in range(120)]


def byte_level(start: str, stop: str) -> Tokenizer:
    """As GPT-2's: nothing before a text, a blank in front of a word belongs to it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=[start, stop], initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(texts(), trainer)
    return made


def pieces(start: str, stop: str) -> Tokenizer:
    """As Llama 2's: words begin with a mark, the start token comes first, rare letters are lost."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split("\n", behavior="isolated"),
            pre_tokenizers.Metaspace(prepend_scheme="first"),
        ]
    )
    made.decoder = decoders.Metaspace(prepend_scheme="first")
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=["<unk>", start, stop], show_progress=False
    )
    made.train_from_iterator(texts(), trainer)
    made.post_processor = processors.TemplateProcessing(
        single=f"{start} $A", pair=f"{start} $A $B", special_tokens=[(start, 1)]
    )
    return made


def write(folder: Path, model: Any, tokenizer: Tokenizer, start: str, stop: str) -> Path:
    """A base folder: no chat template, no padding token."""
    from transformers import PreTrainedTokenizerFast, logging

    logging.disable_progress_bar()
    model.save_pretrained(folder)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=start, eos_token=stop)
    wrapped.save_pretrained(folder)
    assert wrapped.pad_token is None
    return folder


def learn(model: Any, ids: Sequence[int]) -> None:
    """Some ten CPU-seconds of next-token training, enough to write lists and examples."""
    import torch

    from selfsown.train.pretrain import Settings, build_optimisers, rate_at

    settings, line, draw = Settings(1, 0, warmup_steps=10), torch.tensor(ids), rng_for(0, "rows")
    optimisers = build_optimisers(model, settings)
    groups = [group for one in optimisers for group in one.param_groups]
    rates = [group["lr"] for group in groups]
    for step in range(BRIEF_STEPS):
        starts = [draw.randrange(len(ids) - BRIEF_LENGTH) for _ in range(BRIEF_ROWS)]
        rows = torch.stack([line[at : at + BRIEF_LENGTH] for at in starts])  # (B, T)
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * rate_at(step, step / BRIEF_STEPS, settings)
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(input_ids=rows, labels=rows, use_cache=False).loss
        loss.backward()
        for one in optimisers:
            one.step()
            one.zero_grad(set_to_none=True)


def new_neox(vocabulary: int, stop: int) -> Any:
    """Fused projections, biases, layer norms, another activation than Llama's."""
    import torch
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    return GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=vocabulary,
            num_attention_heads=4,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            bos_token_id=0,
            eos_token_id=stop,
            **sizes,
        )
    )


@pytest.fixture(scope="module")
def neox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-NeoX that writes tasks, with a byte-level tokenizer and more embeddings than tokens."""
    tokenizer, model = byte_level("<|start|>", "<|stop|>"), new_neox(960, 1)
    learn(model, [token for text in texts() for token in (1, *tokenizer.encode(text).ids)])
    folder: Path = tmp_path_factory.mktemp("bases") / "neox"
    return write(folder, model, tokenizer, "<|start|>", "<|stop|>")


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama that writes tasks, with word pieces; its config.json names no end of text."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = pieces("<s>", "</s>")
    torch.manual_seed(0)
    sizes = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2}
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=tokenizer.get_vocab_size(),
            num_attention_heads=3,
            max_position_embeddings=1024,
            bos_token_id=1,
            eos_token_id=None,
            pad_token_id=None,
            **sizes,
        )
    )
    learn(model, [token for text in texts() for token in (*tokenizer.encode(text).ids, 2)])
    folder: Path = tmp_path_factory.mktemp("bases") / "llama"
    return write(folder, model, tokenizer, "<s>", "</s>")


@pytest.fixture
def untrained(tmp_path: Path) -> Path:
    """A GPT-NeoX that has learned nothing."""
    tokenizer = byte_level("<|start|>", "<|stop|>")
    return write(tmp_path / "untrained", new_neox(960, 1), tokenizer, "<|start|>", "<|stop|>")


def whole(result: LoopResult) -> None:
    """One round went all the way."""
    places, ending = result.places.round(0), result.endings[0]
    assert ending.decision == "promoted", ending.reason
    assert ending.model_depth == 1
    rows = places.data.read_text(encoding="utf-8").splitlines()
    assert rows and all(json.loads(row)["instruction"] for row in rows)
    for path in (places.home / "guard.json", places.model / "selfsown.json", places.scores):
        assert path.exists()
    assert result.places.page.is_file()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_base_of_another_make_turns_by_the_config_alone(neox: Path, tmp_path: Path) -> None:
    result = turn(config(neox, tmp_path / "loop"))
    whole(result)
    assert result.endings[0].generator == f"hf:{neox}"
    tuned = result.places.round(0).model
    assert result.endings[0].model == f"hf:{tuned}"
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tuned / name).read_bytes() == (neox / name).read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("backend", ["hf", "lab"])
def test_a_llama_with_word_pieces_turns_on_both_backends(
    backend: str, llama: Path, tmp_path: Path
) -> None:
    result = turn(config(llama, tmp_path / "loop", backend=backend))
    whole(result)
    assert result.endings[0].generator == f"{backend}:{llama}"
    run = result.places.round(0).run
    told = [json.loads(line) for line in (run / "provenance.jsonl").read_bytes().splitlines()]
    assert {row["models"]["generator"].partition(":")[0] for row in told} == {backend}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_base_that_writes_nothing_usable_ends_politely(untrained: Path, tmp_path: Path) -> None:
    out = tmp_path / "loop"
    file = tmp_path / "loop.yaml"
    file.write_text(json.dumps({**FORM, "base": str(untrained)}), encoding="utf-8")
    done = CliRunner().invoke(cli, ["loop", str(file), "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert "round 0: rolled_back: no record was left to train on" in done.output
    assert "Traceback" not in done.output and not LoopPlaces(out).round(0).model.exists()
    page = LoopPlaces(out).page.read_text(encoding="utf-8")
    assert "no record was left to train on" in page


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_base_with_a_chat_template_is_asked_in_it(neox: Path, tmp_path: Path) -> None:
    """It never saw a chat, so nothing usable comes of it; but every stage takes its messages."""
    folder = tmp_path / "chat"
    shutil.copytree(neox, folder)
    (folder / "chat_template.jinja").write_text(CHAT, encoding="utf-8")
    result = turn(config(folder, tmp_path / "loop"))
    assert result.endings[0].decision in ("promoted", "rolled_back")
    assert result.places.page.is_file()


def edited(folder: Path, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    form = json.loads((folder / name).read_text(encoding="utf-8"))
    change(form)
    (folder / name).write_text(json.dumps(form), encoding="utf-8")


def too_few_embeddings(folder: Path) -> None:
    edited(folder, "config.json", lambda form: form.update(vocab_size=100))


def no_end(folder: Path) -> None:
    edited(folder, "tokenizer_config.json", lambda form: form.pop("eos_token"))


def no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def broken_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{", encoding="utf-8")


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def no_model_type(folder: Path) -> None:
    edited(folder, "config.json", lambda form: form.update(model_type="no-such-model"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (too_few_embeddings, r"ids up to \d+, and the model in .* has 100 embeddings"),
        (no_end, "no end-of-text token"),
        (no_tokenizer, "has no tokenizer files"),
        (broken_tokenizer, "no tokenizer that can be loaded"),
        (no_config, "no folder with a `config.json`"),
        (no_model_type, "no usable config.json"),
    ],
)
def test_a_base_that_does_not_fit_is_refused_before_anything_is_spent(
    spoil: Callable[[Path], None], said: str, untrained: Path, tmp_path: Path
) -> None:
    spoil(untrained)
    with pytest.raises(InputError, match=said) as caught:
        turn(config(untrained, tmp_path / "loop"))
    assert caught.value.why and caught.value.fix
    assert {path.name for path in (tmp_path / "loop").iterdir()} == {"run.lock"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"backend": "lab"}, "is not a model of the lab's kind: model_type is `gpt_neox`"),
        ({"train": {"encoding": "chat"}}, "the tokenizer has no chat template"),
        ({"base": "models/not-there"}, "no folder with a `config.json`, and not in the cache"),
        ({"train": {"tokenizer": "models/not-there"}}, "has no tokenizer files"),
    ],
)
def test_what_the_config_wants_of_a_base_is_checked_at_once(
    changes: dict[str, Any], said: str, untrained: Path, tmp_path: Path
) -> None:
    with pytest.raises(SelfsownError, match=said):
        turn(config(**{"base": untrained, "out": tmp_path / "loop", **changes}))
    assert {path.name for path in (tmp_path / "loop").iterdir()} == {"run.lock"}
    plain = config(untrained, tmp_path / "loop")  # and without them it is a base like others
    check_base(plain, plain.training([{"path": "data.jsonl"}], "model"))


def test_the_uri_of_a_base_and_of_what_is_tuned_from_it(untrained: Path, tmp_path: Path) -> None:
    tuned = tmp_path / "model"
    cases = {
        ("lab", "auto"): ("lab", f"lab:{tuned}"),
        ("lab", "hf"): ("lab", f"hf:{tuned}"),
        (str(untrained), "auto"): (f"hf:{untrained}", f"hf:{tuned}"),
        (str(untrained), "lab"): (f"lab:{untrained}", f"lab:{tuned}"),
        (f"lab:{untrained}", "auto"): (f"lab:{untrained}", f"lab:{tuned}"),
        ("owner/name", "auto"): ("hf:owner/name", f"hf:{tuned}"),
    }
    for (base, backend), wanted in cases.items():
        given = config(base, tmp_path / "loop", backend=backend)
        assert (base_uri(given), tuned_uri(given, tuned)) == wanted
