"""From a completion to pieces: which reading applies under these options and this layout.

The published readings exist for the completion layout only; chat answers, text or JSON, are ours to
read, since the paper asked no chat model.
"""

from __future__ import annotations

from selfsown.core.request import Completion
from selfsown.curate.instances import Instance
from selfsown.recipes.self_instruct import parse, published
from selfsown.recipes.self_instruct.layouts import Voice
from selfsown.recipes.self_instruct.options import Options
from selfsown.recipes.self_instruct.parse import Loss


def instructions_in(
    completion: Completion, voice: Voice, options: Options
) -> tuple[str | Loss, ...]:
    """The new instructions of a list answer, in order, with what was lost in between.

    Nothing at all if the answer was cut off and that costs the whole completion.
    """
    cut_off = completion.finish_reason == "length"
    if cut_off and options.cut_off == "drop_completion":
        return ()
    if voice.schema:
        found = parse.read_list_json(completion.parsed, cut_off=cut_off)
    elif options.list_parser == "published" and not voice.chat:
        found = published.read_list(completion.text, options.list_style)
        if cut_off:
            found = parse.without_cut_off(found)
    else:
        found = parse.read_list(completion.text, cut_off=cut_off, open_item=not voice.chat)
    if options.case == "keep":
        return found
    return tuple(piece.capitalize() if isinstance(piece, str) else piece for piece in found)


def classification_in(completion: Completion, voice: Voice, options: Options) -> bool | None:
    """Whether the task was called a classification task; None if that cannot be read."""
    if voice.schema:
        return parse.read_yes_no_json(completion.parsed)
    if options.yes_reading == "published" and not voice.chat:
        return published.read_yes_no(completion.text)
    return parse.read_yes_no(completion.text)


def instances_in(
    completion: Completion, voice: Voice, options: Options, *, label_first: bool
) -> tuple[Instance | Loss, ...]:
    """The instances of an answer, in order, with what was lost in between."""
    cut_off = completion.finish_reason == "length"
    if voice.schema:
        return parse.read_pairs_json(completion.parsed, label_first=label_first, cut_off=cut_off)
    if options.instance_parser == "published" and not voice.chat:
        read = published.read_labelled if label_first else published.read_instances
    else:
        read = parse.read_labelled if label_first else parse.read_instances
    return read(completion.text, cut_off=cut_off)


def answer_in(completion: Completion, voice: Voice) -> str | None:
    """The output that an answer gives for one instance; None if it was cut off or gives none."""
    if completion.finish_reason == "length":
        return None
    if voice.schema:
        return parse.read_output_json(completion.parsed)
    return parse.read_output(completion.text)
