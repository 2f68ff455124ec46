"""Claim: a probe's numbers are those of a plain computation over what the policy answered."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

pytest.importorskip("transformers", reason="needs the `local` extra")

import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from selfsown.core.errors import ConfigChanged
from selfsown.loop.preference.measure import PROBE, Probe, probe, probe_line, read_probe
from selfsown.loop.preference.probing import Policy, Probed, Probing
from selfsown.models.answer_tokens import AnswerTokens
from selfsown.recipes.preference.reading import ReadAnswer, answers_of
from selfsown.testing.tiny_llama import write_tiny_llama

ROWS = [
    {"id": "a", "instruction": "Name a tree."},
    {"id": "b", "instruction": "Write the word backwards.", "input": "tree"},
    {"id": "c", "instruction": "Say hello.", "output": "Hello."},
]
DRAWS = [{"count": 2, "temperature": 1.0, "top_p": 1.0}, {"count": 1, "temperature": 0.5}]


def write_reward_model(base: Path, out: Path, seed: int) -> str:
    """The tiny model with a head by chance, which is scored where the answer ends."""
    from selfsown.models.reward_head import MARK, marked

    model = AutoModelForSequenceClassification.from_pretrained(str(base), num_labels=1)
    torch.manual_seed(seed)
    torch.nn.init.normal_(model.score.weight)
    setattr(model.config, MARK, marked("task"))
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(str(base)).save_pretrained(out)
    return str(out)


class Scene:
    """Two policies, two reward models, three prompts; the policies are probed."""

    def __init__(self, home: Path) -> None:
        folders = [
            write_tiny_llama(home / f"policy-{seed}", seed=seed, width=16, layers=1, context=96)
            for seed in (0, 1)
        ]
        self.home = home
        self.first, self.second = (Policy(f"lab:{folder}", folder) for folder in folders)
        models = [write_reward_model(folders[0], home / f"rm-{seed}", seed) for seed in (0, 1)]
        (home / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        self.probing = Probing(
            recipe="online-rlhf",
            options={
                "answers": DRAWS,
                "layout": "task",
                "max_tokens": 6,
                "human": "candidate",
                "scorer": "reward",
                "scorer_options": {"model": models[0]},
                "observers": {"gold": {"scorer": "reward", "options": {"model": models[1]}}},
            },
            models={},
            prompts=home / "prompts.jsonl",
            encoding="task",
        )
        self.lines: list[str] = []
        self.start = probe(self.first, home / "0", self.probing, tell=self.lines.append)
        self.now = self.probe()

    def probe(self) -> Probe:
        return probe(
            self.second,
            self.home / "1",
            self.probing,
            initial=Probed(self.first, self.home / "0"),
            reference=self.second.folder,
            tell=self.lines.append,
        )

    def answers(self, number: int) -> list[ReadAnswer]:
        return answers_of(self.home / str(number) / "run")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("probes"))


def divergence(folder: Path, other: Path, answer: ReadAnswer) -> float:
    """Along an answer and its end, if it has one: two forward passes over it alone."""
    tokens = AnswerTokens(AutoTokenizer.from_pretrained(str(folder)))
    prompt = answer.candidate.prompt
    given = f"\nInput: {prompt.input}" if prompt.input else ""
    head = tokens.ids(f"Task: {prompt.text}{given}\nOutput:")
    end = [] if answer.candidate.finish_reason == "length" else [tokens.end]
    ids = [*tokens.lead, *head, *tokens.ids(f" {answer.candidate.text.strip()}"), *end]
    start = len(tokens.lead) + len(head)
    both = []
    for path in (folder, other):
        model = AutoModelForCausalLM.from_pretrained(str(path), dtype=torch.float32)
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0, start - 1 : len(ids) - 1]
        both.append(logits.double().log_softmax(-1))
    own, theirs = both
    return float((own.exp() * (own - theirs)).sum())


def test_the_divergence_is_that_of_the_distributions_along_the_policys_plain_samples(
    scene: Scene,
) -> None:
    ratios: dict[str, list[float]] = {}
    for one in scene.answers(1):
        if one.candidate.sampling.temperature == 1.0:
            found = divergence(scene.second.folder, scene.first.folder, one)
            ratios.setdefault(one.candidate.prompt.id, []).append(found)
    assert scene.now.kl_initial is not None
    assert scene.now.kl_initial.value == pytest.approx(fmean(map(fmean, ratios.values())), abs=1e-3)
    assert scene.now.kl_answers == sum(map(len, ratios.values())) == 6
    assert scene.now.is_kl_unbiased
    assert scene.now.kl_reference is not None and scene.now.kl_reference.value == 0.0
    assert scene.start.kl_initial is not None and scene.start.kl_initial.value == 0.0


def test_scores_gains_and_lengths_are_those_of_the_answers(scene: Scene) -> None:
    def scores(number: int, name: str) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for one in scene.answers(number):
            assert one.scored is not None
            value = one.observed["gold"] if name == "gold" else one.scored.reward
            assert value is not None
            found.setdefault(one.candidate.prompt.id, []).append(value)
        return found

    gains: dict[str, float] = {}
    for name, measured, gain in (
        ("proxy", scene.now.proxy, scene.now.proxy_gain),
        ("gold", scene.now.gold, scene.now.gold_gain),
    ):
        before, after = scores(0, name), scores(1, name)
        assert measured is not None and gain is not None
        assert measured.value == pytest.approx(fmean(map(fmean, after.values())))
        squares = sum((x - fmean(one)) ** 2 for one in before.values() for x in one)
        unit = math.sqrt(squares / (3 * (3 - 1)))
        rises = [fmean(after[key]) - fmean(before[key]) for key in before]
        gains[name] = fmean(rises) / unit
        assert gain.value == pytest.approx(gains[name])
        assert scene.now.by_prompt[name] == pytest.approx(
            {key: fmean(one) for key, one in after.items()}
        )
    assert scene.now.gap is not None and scene.now.length is not None
    assert scene.now.gap.value == pytest.approx(gains["proxy"] - gains["gold"])
    texts = [len(one.candidate.text) for one in scene.answers(1)]
    assert scene.now.length.value == pytest.approx(fmean(texts))
    assert (scene.now.prompts, scene.now.asked, scene.now.answered) == (3, 9, 9)
    assert scene.now.second is None and scene.now.second_gain is None


def test_the_initial_policy_gained_nothing_and_ties_with_itself(scene: Scene) -> None:
    start = scene.start
    for one in (start.proxy_gain, start.gold_gain, start.gap):
        assert one is not None and (one.value, one.low, one.high) == (0.0, 0.0, 0.0)
    assert start.win_rate is not None and start.win_rate.value == 0.5
    assert start.decider == "gold"
    wins = [
        0.5 if new == old else float(new > old)
        for new, old in zip(
            (one.observed["gold"] or 0.0 for one in scene.answers(1)),
            (one.observed["gold"] or 0.0 for one in scene.answers(0)),
            strict=True,
        )
    ]
    assert scene.now.win_rate is not None
    assert scene.now.win_rate.value == pytest.approx(fmean(wins))
    assert scene.lines == [probe_line(start), probe_line(scene.now)]


def test_a_probe_that_was_killed_before_its_last_file_asks_nothing_again(scene: Scene) -> None:
    assert read_probe(scene.home / "1") == scene.now
    before = (scene.home / "1" / "run" / "manifest.json").read_bytes()
    path = scene.home / "1" / PROBE
    whole = path.read_bytes()
    path.unlink()
    assert read_probe(scene.home / "1") is None
    assert scene.probe() == scene.now
    assert path.read_bytes() == whole
    assert (scene.home / "1" / "run" / "manifest.json").read_bytes() == before
    assert scene.probe() == scene.now
    assert len(scene.lines) == 3


def test_another_policy_or_way_of_measuring_is_refused(scene: Scene) -> None:
    with pytest.raises(ConfigChanged, match="policy"):
        probe(scene.first, scene.home / "1", scene.probing)
    other = replace(scene.probing, options={**scene.probing.options, "max_tokens": 7})
    with pytest.raises(ConfigChanged, match="max_tokens"):
        probe(scene.first, scene.home / "0", other)


def test_without_answers_at_temperature_1_the_divergence_is_of_all_and_says_so(
    scene: Scene,
) -> None:
    cold = replace(
        scene.probing,
        options={**scene.probing.options, "answers": [{"count": 2, "temperature": 0.5}]},
    )
    found = probe(
        scene.second,
        scene.home / "cold",
        cold,
        initial=Probed(scene.first, scene.home / "0"),
    )
    assert not found.is_kl_unbiased
    assert found.kl_answers == 6
    assert found.kl_reference is None
