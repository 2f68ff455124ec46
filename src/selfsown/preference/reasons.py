"""Which reasons of a rejection make an honest negative: an answer that is worse *as an answer*.

A rejected record is a negative only where the answer is what was at fault. Most rejections are not
about it: a question that is too like others, an answer that a limit cut off, a text that nobody
could take apart. Training against those would teach that the topic is wrong, or that long answers
are. Every reason that selfsown gives stands in one of the two tables; one that stands in neither,
of a filter or recipe from outside, is not used until a person names it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from selfsown.core.errors import InputError
from selfsown.core.nearest import did_you_mean

HONEST: Final[Mapping[str, str]] = MappingProxyType(
    {
        "votes_disagree": "the model's own further answers say something else",
        "conflicting_outputs": "most answers to the same input say something else",
        "refusal": "it refuses what was answered elsewhere",
        "boilerplate": "it is a pleasantry and no answer",
        "leaked_markup": "chat-template tokens stand in the text",
        "merged_tasks": "it runs into the next task",
        "control_characters": "broken characters",
        "replacement_characters": "broken characters",
        "mojibake": "characters decoded twice",
        "long_run": "one character again and again",
        "repetitive": "it repeats itself",
        "noise": "letters that are no words",
        "mostly_symbols": "symbols instead of words",
        "low_entropy": "hardly any different characters",
    }
)
"""Reason -> why an answer that was rejected for it is worse than an accepted one."""

ONLY_IF_OUTVOTED: Final = frozenset({"conflicting_outputs"})
"""Reasons that say of two answers that they differ. Such a record is a negative only where more
records of the run give the chosen answer than give its own: on a tie the first is kept, which in
six ties on the lab was the right one three times."""

NOT_THE_ANSWER: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *("rouge_l_too_similar", "near_duplicate", "duplicate", "beyond_cap"),
                *("repeated_prompt", "repeated", "over_quota", "not_drawn", "beyond_most"),
            ),
            "it is one too many of its kind, not worse",
        ),
        **dict.fromkeys(
            (
                *("benchmark_overlap", "prompt_overlap", "held_out", "near_held_out"),
                "repeats_held_out",
            ),
            "it is what an evaluation asks, which is never trained on",
        ),
        **dict.fromkeys(
            ("cut_off", "empty", "empty_output", "no_output", "truncated", "too_few_tokens"),
            "a limit or an empty reply, not what the model would say",
        ),
        **dict.fromkeys(
            (
                *("nothing_read", "unread_classification", "no_instance_read", "preamble"),
                *("no_instance_kept", "no_label", "second_output", "not_a_list", "empty_item"),
                *("second_input", "empty_label", "ran_on", "unread", "stray_text", "unlabelled"),
                *("no_question", "no_answer", "no_evidence", "nothing_to_ask", "no_opening"),
                *("introduction", "several_versions", "no_questions", "no_list", "no_table"),
                *("no_steps", "no_problem", "agreement_unread"),
            ),
            "the engine could not take the text apart",
        ),
        **dict.fromkeys(
            (
                *("keyword", "write_a_program", "bad_first_character", "non_ascii_start"),
                *("needs_media", "asks_for_drawing", "asks_for_action", "needs_file", "needs_web"),
                *("degenerate_conditional", "other_language", "too_short", "too_long", "prompt"),
                *("other_form", "banned_opening", "title", "image", "reference", "rule", "filter"),
                *("leaks_answer", "not_self_contained", "known_closed_book"),
            ),
            "a rule about the question, or about length",
        ),
        **dict.fromkeys(
            (
                *("excluded_topic", "no_topic", "synthetic", "no_quality", "low_quality", "quota"),
                *("repeated_extract", "routed", "code", "maths"),
            ),
            "the document was not wanted, and nobody wrote anything",
        ),
        **dict.fromkeys(
            (
                *("binary", "damaged", "duplicate_id", "encoding", "encrypted", "too_large"),
                "unsupported",
            ),
            "a file that could not be read, and nobody wrote anything",
        ),
        **dict.fromkeys(
            ("repeated_opening", "repeated_closing", "repeated_frame", "repeated_cliche"),
            "too many texts of the run have it, which says nothing of one",
        ),
        **dict.fromkeys(
            (
                *("new_number", "new_name", "new_date", "wrong_arithmetic", "changed_number"),
                *("added_name", "negation", "missing_part", "copied", "repetition", "unlike"),
                *("evidence_not_found", "evidence_too_short", "not_grounded", "unanswerable"),
                *("answers_differ", "number_not_in_evidence", "name_not_in_evidence"),
                *("number_not_in_passage", "name_not_in_passage"),
            ),
            "a finding about the text and its own source; to another source it may be the answer",
        ),
        **dict.fromkeys(
            ("output_is_input", "ends_with_colon"), "such an answer may well be the right one"
        ),
    }
)
"""Reason -> why a record that was rejected for it is no negative."""

MERGE_PREFIX: Final = "merge_"
"""Reasons of a merge begin so; what follows is the reason that a run would have given."""


def honest_reasons(also: Collection[str] = (), without: Collection[str] = ()) -> frozenset[str]:
    """The reasons whose records become negatives.

    Args:
        also: further ones, which a person vouches for.
        without: known ones that are left out.

    Raises:
        InputError: `without` names a reason that would not have been used.
    """
    reasons = frozenset(HONEST) | frozenset(also)
    for reason in without:
        if reason not in reasons:
            raise InputError(
                f"the reason `{reason}` is not used for negatives anyway",
                why=f"used are: {', '.join(sorted(reasons))}",
                fix=did_you_mean(reason, reasons) or "leave it away",
            )
    return reasons - frozenset(without)


def bare_reason(reason: str) -> str:
    """The reason that a run would have given for what a merge dropped."""
    return reason.removeprefix(MERGE_PREFIX)


def why_not(reason: str) -> str:
    """Why records of a reason that is not used are no negatives.

    `not_the_answer` for one that is known, else `unknown_reason`. Known ones that were asked to be
    left out count as `not_wanted`.
    """
    bare = bare_reason(reason)
    if bare in HONEST:
        return "not_wanted"
    return "not_the_answer" if bare in NOT_THE_ANSWER else "unknown_reason"
