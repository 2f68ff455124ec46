"""Calibrations and win rates as aligned text; shares times 100."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from selfsown.cli.main import shown
from selfsown.cli.summary import aligned

if TYPE_CHECKING:
    from selfsown.core.request import JSON
    from selfsown.evaluate.intervals import Interval
    from selfsown.evaluate.rating.agreement import Estimate
    from selfsown.judge.calibration import Calibration
    from selfsown.judge.win_rate import WinRate


def calibration_lines(found: Calibration, missed: Sequence[str]) -> list[str]:
    """What human labels say about a judge, warnings, and the bounds that it misses."""
    rows = [
        ["rows judged", f"{found.rows:,}"],
        ["could not be read", f"{found.missing:,} ({1 - found.parse_rate:.1%})"],
        *(_agreement_rows(found) if found.missing < found.rows else ()),
    ]
    verdict = [f"refused: {shown(one)}" for one in missed] or ["passes every bound"]
    return [*aligned(rows, right=()), *_warnings(found), *verdict]


def example_lines(counts: Mapping[str, JSON]) -> list[str]:
    """What the judgements of ranked answers came to, as `counts_form` has it."""
    from selfsown.judge.eft import WHYS

    whys, scores, held_out = counts["left_out"], counts["scores"], counts["held_out"]
    assert isinstance(whys, dict)
    assert isinstance(scores, dict)
    assert isinstance(held_out, dict)
    rows = [
        ["prompts asked about", f"{counts['prompts']:,}"],
        ["judgements", f"{counts['judgements']:,}"],
        ["examples", f"{counts['examples']:,}"],
        *([f"  of score {score}", f"{count:,}"] for score, count in scores.items()),
        *([f"left out: {WHYS[why]}", f"{count:,}"] for why, count in whys.items()),
        ["left out: prompts that other data have", f"{counts['prompts_elsewhere']:,}"],
        ["held out", f"{held_out['answers']:,} answers to {held_out['prompts']:,} prompts"],
    ]
    return aligned(rows, right=())


def win_rate_lines(names: Sequence[str], found: WinRate, validation: str) -> list[str]:
    """One system against another.

    Args:
        names: of the two systems.
        found: the first against the second.
        validation: what is known about the judge, in one line.
    """
    first, second = map(shown, names)
    rows = [
        ["prompts judged", f"{found.contests:,}"],
        ["could not be judged", f"{found.missing:,}"],
        [f"`{first}` won, tied, lost", f"{found.wins:,}, {found.ties:,}, {found.losses:,}"],
        ["win rate, %", _interval(found.rate)],
        ["  at equal length, %", _interval(found.length_controlled)],
        ["sign test, p", f"{found.p_sign:.3g}"],
        ["shows from 50 +- , %", f"{100 * found.detectable:.1f}"],
        ["mean characters", " and ".join(f"{one:,.0f}" for one in found.mean_lengths)],
    ]
    lines = [f"`{first}` against `{second}`", *aligned(rows, right=())]
    if found.is_much_corrected:
        lines.append("warning: length moves the win rate by more than 10 points or a quarter")
    return [*lines, validation]


def _agreement_rows(found: Calibration) -> list[list[str]]:
    same = "one side always says the same"
    return [
        ["decided pairs", f"{found.pairs:,}"],
        ["accuracy on them, %", _words(found.accuracy, "no decided pairs")],
        *([f"  {shown(name)}", _words(one, "")] for name, one in found.categories.items()),
        ["same label, %", _words(found.raw, "nothing to compare")],
        ["Cohen's kappa", _words(found.kappa, same, scale=1)],
        ["Spearman", _words(found.spearman, same, scale=1)],
        *_bias_rows(found),
    ]


def _bias_rows(found: Calibration) -> list[list[str]]:
    equal, length = "all of equal length", found.length
    rows = []
    if found.kind == "pairs":
        rows += [
            ["same in both orders, %", _words(found.position.consistency, "nothing to compare")],
            ["first answer wins, %", _words(found.position.first_slot, "only ties")],
        ]
    if found.calibration_error is not None:
        rows.append(["confidence off by, %", f"{100 * found.calibration_error:.1f}"])
    return [
        *rows,
        ["longer answer wins, %", _words(length.longer, equal)],
        ["  by people, %", _words(length.human, equal)],
        ["  more than by people", _words(length.bias, equal)],
        ["own answer, more than people", _words(found.self_preference, "no such pairs")],
        ["moved by words in answers", _words(found.injection, "no canaries")],
    ]


def _warnings(found: Calibration) -> list[str]:
    lines, longer = [], found.length.longer.value
    if longer is not None and found.length.is_alarming:
        lines.append(f"warning: prefers the longer answer in {longer:.0%} of pairs")
    own = found.self_preference.low
    if own is not None and own > 0:
        lines.append("warning: prefers answers of its own model more than people do")
    return lines


def _words(estimate: Estimate, undefined: str, *, scale: int = 100) -> str:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return f"- ({undefined})"
    digits = 2 if scale == 1 else 1
    value, low, high = (
        f"{scale * one:.{digits}f}" for one in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} ({low} to {high})"


def _interval(interval: Interval) -> str:
    return f"{100 * interval.mean:.1f} ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


def json_bytes(form: Mapping[str, object]) -> bytes:
    """The same for programs."""
    import orjson

    return orjson.dumps(dict(form), option=orjson.OPT_INDENT_2)
