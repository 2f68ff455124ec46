"""Everything that is checked before a preference loop spends anything, and what comes of it.

What can be known from config and files is known here: a scorer that cannot be loaded or has no
model, a judge that would evaluate what it trained, a reference without weights, prompts that
overlap or are too few, an anchor that was trained on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from selfsown.core.errors import CheckFailed, ConfigError, InputError
from selfsown.core.nearest import did_you_mean
from selfsown.core.request import JSON
from selfsown.judge.base import Judge
from selfsown.judge.labels import Label
from selfsown.judge.prompting import shown_instruction
from selfsown.judge.registry import judge_named
from selfsown.judge.verdicts import compares
from selfsown.loop.base import check_base
from selfsown.loop.preference.anchor import read_anchor, refuse_trained_on
from selfsown.loop.preference.config import PreferenceLoopConfig, policy_role
from selfsown.loop.preference.encoding import encoding_of
from selfsown.loop.preference.places import PreferencePlaces
from selfsown.loop.preference.probing import GOLD, PROXY, SECOND, Probing, probing_of
from selfsown.loop.preference.prompts import PromptSets
from selfsown.loop.preference.sections import ScorerConfig
from selfsown.models.answer_tokens import AnswerEncoding, request_of
from selfsown.models.fingerprint import model_hash
from selfsown.models.hf import has_chat_template
from selfsown.models.uri import open_model
from selfsown.preference.gates import check_judges_differ
from selfsown.preference.records import plain_text
from selfsown.recipes.base import get_recipe
from selfsown.recipes.preference.options import Options
from selfsown.recipes.preference.scorers import Scorer, scorer_named
from selfsown.train.pair_records import read_pairs
from selfsown.train.plan import find_base, find_reference, find_tokenizer
from selfsown.train.records import read_sources
from selfsown.train.reference import Reference
from selfsown.train.settings import SourceConfig, resolve
from selfsown.train.sft import require_training_packages

_SELF: Final = "policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A loop that may begin."""

    config: PreferenceLoopConfig
    places: PreferencePlaces
    options: Options
    """Of the recipe, in the rounds."""
    encoding: AnswerEncoding
    """In which pairs are trained on: what the policy is asked with."""
    prompts: PromptSets
    judge: Judge | None
    """How the policy judges the anchor; None without one."""
    labels: tuple[Label, ...]
    """Of the anchor."""
    scorers: Mapping[str, JSON]
    """`proxy`, `gold` and `second`: who each is, whatever lies at its path."""

    @property
    def probing(self) -> Probing:
        """How policies are measured."""
        return probing_of(self.config, self.prompts.validation, self.encoding)


def set_up(config: PreferenceLoopConfig) -> Setup:
    """Check a loop; nothing is written, asked or trained.

    Raises:
        InputError: something given cannot be used.
        CheckFailed: two sets of prompts overlap, or something trains on validation prompts.
        MissingExtra: a package that is needed is not installed.
    """
    require_training_packages()
    options = cast("Options", get_recipe(config.recipe).resolve(config.preset, config.options))
    encoding = encoding_of(config, options)
    _check_trainings(config, encoding)
    _check_models(config)
    scorers = _check_scorers(config, options)
    places = PreferencePlaces(Path(config.out))
    probing_of(config, places.validation, encoding).effective()
    judge, labels = _anchor(config, options)
    prompts = PromptSets(
        config,
        places,
        need_human=options.human != "none",
        apart=[one.item.prompt for one in labels],
    )
    started_on = _started_on(config)
    _refuse_measured(prompts.measured, started_on, "a record of `start`")
    _refuse_measured(prompts.measured, _offline_prompts(config), "a pair of `offline_pairs`")
    refuse_trained_on(labels, [*prompts.declared, *started_on])
    return Setup(
        config=config,
        places=places,
        options=options,
        encoding=encoding,
        prompts=prompts,
        judge=judge,
        labels=tuple(labels),
        scorers=scorers,
    )


def _check_trainings(config: PreferenceLoopConfig, encoding: AnswerEncoding) -> None:
    """Refuse what no training could use; no weights are loaded."""
    on_pairs = config.preferring([{"path": "pairs.jsonl"}], config.base, "model", encoding=encoding)
    check_base(config, on_pairs)
    base = find_base(config.base)
    find_reference(on_pairs, base)
    references = [config.kept_close_to]
    if "other_reference" in config.controls:
        references.append(config.other_reference)
    if "initial" in references and not config.start:
        initial = on_pairs.model_copy(update={"reference": "initial"})
        _refuse_earlier_chain(config, base, find_reference(initial, base))
    if config.start or "sft_chosen" in config.controls:
        paths: list[Any] = [{"path": path} for path in config.start] or [{"path": "data.jsonl"}]
        tuning = config.tuning(paths, "model")
        tokenizer = find_tokenizer(tuning, base)
        resolve(tuning, has_chat_template=has_chat_template(tokenizer))
        if config.start:
            read_sources(tuning.data, seeds=False)


def _check_models(config: PreferenceLoopConfig) -> None:
    """Refuse models of unknown roles, and any that cannot be opened; nothing is sent."""
    roles = get_recipe(config.recipe).roles
    for role, given in config.models.items():
        if role not in roles:
            raise ConfigError(
                f"loop config: recipe `{config.recipe}` has no role `{role}`",
                why=f"its roles are {', '.join(f'`{one}`' for one in roles)}",
                fix=did_you_mean(role, roles) or f"remove `models.{role}`",
            )
        open_model(given)
    if config.prompts.writer is not None:
        open_model(config.prompts.writer)


def _started_on(config: PreferenceLoopConfig) -> list[str]:
    """What the records of `start` ask; of judgements also the instruction that they are about."""
    sources = read_sources([SourceConfig(path=path) for path in config.start], seeds=False)
    found = [record.asked for source in sources for record in source.records]
    return [*found, *filter(None, map(shown_instruction, found))]


def _offline_prompts(config: PreferenceLoopConfig) -> list[str]:
    """What the given pairs answer; none where they are not used."""
    if "offline" not in config.controls or config.offline_pairs is None:
        return []
    pairs = read_pairs([SourceConfig(path=config.offline_pairs)])
    return [request_of(one.question) for one in pairs]


def _refuse_measured(measured: Collection[str], trained_on: Collection[str], what: str) -> None:
    """Stop where a policy would be measured on what it, or a control, was trained on."""
    known = set(map(plain_text, trained_on))
    shared = [text for text in measured if plain_text(text) in known]
    if shared:
        raise CheckFailed(
            f"loop config: {len(shared)} of {len(measured)} validation prompts are asked by {what},"
            f" for example `{shared[0][:60]}`",
            why="a policy that was trained on the answer shows what it remembers",
            fix="take them out of `probe.prompts`, or out of the training data",
        )


def _refuse_earlier_chain(
    config: PreferenceLoopConfig, base: Path, reference: Reference | None
) -> None:
    """Stop where `initial` would be another policy than the loop's own first one."""
    if reference is not None and reference.model_hash != model_hash(base):
        raise ConfigError(
            f"loop config: `{config.base}` was trained on pairs itself, from `{reference.folder}`",
            why="`reference: initial` could mean either of the two",
            fix=f"name one of them: `reference: {base}` or `reference: {reference.folder}`",
        )


def _check_scorers(config: PreferenceLoopConfig, options: Options) -> dict[str, JSON]:
    """Refuse scorers that cannot score, or that would evaluate what they trained.

    Returns:
        Who scores, by what for.
    """
    voices = _voices(config, options)
    scorer = options.scoring()
    gold, second = (_made(one) for one in (config.probe.gold, config.probe.second))
    for one in filter(None, (scorer, gold, second)):
        for role in one.roles:
            if role not in voices:
                raise ConfigError(
                    f"scorer `{one.name}` asks role `{role}`, which has no model",
                    why="a policy that judges itself has to be asked for, since it learns to please"
                    " itself",
                    fix=f"give `models.{role}`, or set `options.self_judging: true`",
                )
        one.prepare()
    if scorer is not None and gold is not None:
        _refuse_equal(scorer, gold, voices, allowed=config.allow_equal_judges)
    if scorer is not None and second is not None:
        _refuse_equal(scorer, second, voices, allowed=False)
    named = {PROXY: scorer, GOLD: gold, SECOND: second}
    return {name: one.identity(voices) for name, one in named.items() if one is not None}


def _refuse_equal(
    scorer: Scorer, other: Scorer, voices: Mapping[str, str], *, allowed: bool
) -> None:
    """Stop where one judge, or one model behind two of them, makes pairs and measures, too."""
    asked, measuring = ({voices[role] for role in one.roles} for one in (scorer, other))
    for shared in sorted(asked & measuring):
        check_judges_differ(shared, shared, allow_equal=allowed)
    check_judges_differ(scorer.identity(voices), other.identity(voices), allow_equal=allowed)


def _voices(config: PreferenceLoopConfig, options: Options) -> dict[str, str]:
    """Role -> the model that answers for it; the policy where it may judge itself."""
    recipe = get_recipe(config.recipe)
    given = {
        role: str(one if isinstance(one, str) else one.get("uri"))
        for role, one in config.models.items()
    }
    own = dict.fromkeys(recipe.roles, _SELF) if options.self_judging else {}
    return {**own, policy_role(config): _SELF, **given}


def _made(given: ScorerConfig | None) -> Scorer | None:
    return None if given is None else scorer_named(given.scorer, given.options)


def _anchor(config: PreferenceLoopConfig, options: Options) -> tuple[Judge | None, list[Label]]:
    """How the policy judges, and the labels that it is held against; none without an anchor."""
    if config.anchor is None:
        return None, []
    judge, labels = _own_judge(config, options), read_anchor(Path(config.anchor))
    if compares(judge) and labels[0].kind == "scores":
        raise InputError(
            f"judge `{judge.name}` compares two answers, and `{config.anchor}` holds single ones",
            why="agreement is about what the judge is asked in the rounds",
            fix="label pairs (`a`, `b`, `label`), or let a judge of single answers score",
        )
    return judge, labels


def _own_judge(config: PreferenceLoopConfig, options: Options) -> Judge:
    """The judge by which the policy scores its own answers.

    Raises:
        ConfigError: another model, a program or a reward model scores them.
    """
    scorer = options.scoring()
    asked = [] if scorer is None else [_voices(config, options).get(role) for role in scorer.roles]
    if _SELF not in asked:
        raise ConfigError(
            "loop config: `anchor` is given, and the policy does not judge itself",
            why="it says whether training made the policy a worse judge of its own answers",
            fix="remove `anchor`, or set `options.self_judging: true` with a judge as `scorer`",
        )
    if options.scorer == "tournament":
        ((name, given),) = options.scorer_options.get("judge", {"pairwise": {}}).items()
        return judge_named(name, given)
    return judge_named(options.scorer, options.scorer_options)
