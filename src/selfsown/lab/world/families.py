"""The task families: what can be asked, in which words, and what the right answer is.

A family owns its phrasings. A phrasing is a template with the slots `{v}` (a verb such as "Give"),
`{the}` (a determiner of the input: "the", "the given", "this"), `{x}` (the family's argument) and,
for conditionals, `{a}` and `{b}` (the two words to write). `solve(text, argument)` is the one
reference solver; open tasks have `accepts` beside it, since many answers are right.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from selfsown.lab.world import lexicon as lex
from selfsown.lab.world.kinds import CATEGORIES, KINDS, SINGULAR, WORDS, split_list
from selfsown.lab.world.lists import LIST_TASKS
from selfsown.lab.world.pairs import BUILDING_TASKS, PAIR_TASKS
from selfsown.lab.world.recombination import recombined
from selfsown.lab.world.relations import (
    CLOSED,
    MAPPED,
    PROPERTIES,
    RELATION,
    RELATIONS,
    TWO_STEP,
    Property,
    Relation,
    spell,
)
from selfsown.lab.world.sentences import SENTENCE_TASKS
from selfsown.lab.world.task_table import Solver, TaskRow, Validator

_LABELS = tuple(word for pair in lex.LABEL_PAIRS for word in pair)
CONDITIONAL_ARGUMENTS: tuple[str, ...] = tuple(
    f"{a} {b}" for a in _LABELS for b in _LABELS if a != b
)
"""Arguments of conditional tasks: two different words, separated by a space."""
USUAL_ARGUMENTS = tuple(f"{a} {b}" for pair in lex.LABEL_PAIRS for a, b in (pair, pair[::-1]))


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of task."""

    name: str
    group: str
    """One of the keys of `sampling.GROUP_WEIGHTS`."""
    kind: str
    """Kind of the input, a key of `KINDS`; `none` for tasks without input."""
    phrasings: tuple[str, ...]
    arguments: tuple[str, ...]
    """Values of the argument; `("",)` for families without one."""
    solve: Solver
    is_classification: bool = False
    sampler: Callable[[random.Random, str], str] | None = None
    """Samples an input for an argument; None uses the kind's."""
    validator: Validator | None = None
    """Further condition on (input, argument), beyond the kind's."""
    further: tuple[str, ...] = ()
    """Phrasings that parse but are never sampled (`recombination`)."""
    usual_arguments: tuple[str, ...] = ()
    """Arguments that are drawn seven times in ten, before all others get their chance."""
    accepts: Callable[[str, str, str], bool] | None = None
    """`accepts(input, argument, answer)` of an open task; None: only the reference is right."""

    @property
    def all_phrasings(self) -> tuple[str, ...]:
        """The sampled phrasings, then the further ones; a wording's index counts along these."""
        return self.phrasings + self.further

    def sample_argument(self, rng: random.Random) -> str:
        """One argument of the family."""
        is_usual = bool(self.usual_arguments) and rng.random() < 0.7
        return rng.choice(self.usual_arguments if is_usual else self.arguments)

    def sample_input(self, rng: random.Random, argument: str) -> str:
        """One valid input for the argument."""
        if self.sampler is not None:
            return self.sampler(rng, argument)
        return KINDS[self.kind].sample(rng)

    def is_input_valid(self, text: str, argument: str) -> bool:
        """Whether the task can be done with this input."""
        if not KINDS[self.kind].is_valid(text):
            return False
        return self.validator is None or self.validator(text, argument)


def noun_of(kind: str) -> str:
    """How an instruction names an input of the kind, without article."""
    return KINDS[kind].noun


def _relation(relation: Relation) -> Family:
    s = "{the} " + noun_of(relation.kind)
    first, second = (noun.format(s=s) for noun in relation.nouns)
    phrasings = (
        "{v} " + first + ".",
        "{v} " + second + ".",
        f"What is {first}?",
        relation.question.format(s=s),
    )
    return Family(
        relation.name,
        "relation",
        relation.kind,
        phrasings,
        ("",),
        lambda text, _: relation.answer(text),
        relation.is_classification,
        further=recombined(phrasings, [(first, second)]),
    )


def _map(relation: Relation) -> Family:
    noun = noun_of(relation.kind)
    each, that = f"each {noun} in the list", f"this {noun}"
    phrasings = (
        "{v} " + relation.nouns[0].format(s=each) + ".",
        f"For {each}, write " + relation.nouns[0].format(s=that) + ".",
        "What is " + relation.nouns[1].format(s=f"every {noun}") + "?",
        f"Go through the list and for every {noun} give " + relation.nouns[1].format(s=that) + ".",
    )
    one, other = relation.nouns
    synonyms = [(one.format(s=s), other.format(s=s)) for s in (each, that, f"every {noun}")]
    return Family(
        f"map_{relation.name}",
        "map",
        f"{relation.kind}_list",
        phrasings,
        ("",),
        lambda text, _: ", ".join(relation.answer(item) for item in split_list(text)),
        further=recombined(phrasings, [*synonyms, (each, f"every {noun}")]),
    )


def _two_step(relation: Relation) -> list[Family]:
    s = "{the} " + noun_of(relation.kind)
    first, second = (noun.format(s=s) for noun in relation.nouns)
    steps: dict[str, tuple[Callable[[str], str], tuple[str, ...]]] = {
        "first_letter": (
            lambda word: word[0],
            (
                "{v} the first letter of " + first + ".",
                f"Which letter does {second} begin with?",
                f"Think of {first} and write its first letter.",
            ),
        ),
        "letter_count": (
            lambda word: str(len(word)),
            (
                "{v} the number of letters in " + first + ".",
                f"How many letters are there in {second}?",
                f"Think of {first} and count its letters.",
            ),
        ),
        "spelling": (
            spell,
            (
                "{v} the spelling of " + first + ".",
                f"Spell out {second}.",
                f"Think of {first} and spell it.",
            ),
        ),
    }
    return [
        Family(
            f"{relation.name}_{step}",
            "two_step",
            relation.kind,
            phrasings,
            ("",),
            # Bound as defaults: a closure would see only the last step of the loop.
            lambda text, _, second_step=operation: second_step(relation.answer(text)),  # type: ignore[misc]
            further=recombined(phrasings, [(first, second)]),
        )
        for step, (operation, phrasings) in steps.items()
    ]


def _property(fact: Property) -> Family:
    s = "{the} " + noun_of(fact.kind)
    question, clause = fact.question.format(s=s), fact.clause.format(s=s)
    phrasings = (
        question,
        f"Answer yes or no: {question[0].lower()}{question[1:]}",
        f"Decide whether {clause}.",
        f"Say yes if {clause}, and no if it is not so.",
    )
    return Family(
        f"is_{fact.name}",
        "property",
        fact.kind,
        phrasings,
        ("",),
        lambda text, _: "yes" if fact.holds(text) else "no",
        is_classification=True,
    )


def _conditional(fact: Property) -> Family:
    clause = fact.clause.format(s="{the} " + noun_of(fact.kind))
    phrasings = (
        f"If {clause}, write {{a}}. Otherwise write {{b}}.",
        f"Write {{a}} if {clause}, and {{b}} if not.",
        f"Choose between {{a}} and {{b}}: {{a}} when {clause}, {{b}} in all other cases.",
    )

    def solve(text: str, argument: str) -> str:
        yes, no = argument.split(" ")
        return yes if fact.holds(text) else no

    return Family(
        f"if_{fact.name}",
        "conditional",
        fact.kind,
        phrasings,
        CONDITIONAL_ARGUMENTS,
        solve,
        is_classification=True,
        usual_arguments=USUAL_ARGUMENTS,
    )


def _closed(name: str, form: str) -> Family:
    relation = RELATION[name]
    words = WORDS[relation.kind]
    named = tuple(form.format(w=w, a="an" if w[0] in "aeiou" else "a") for w in words)
    first = relation.nouns[0].format(s="{x}")
    phrasings = (f"What is {first}?", "{v} " + first + ".", relation.question.format(s="{x}"))
    return Family(
        f"ask_{name}",
        "closed",
        "none",
        phrasings,
        named,
        lambda _, argument: relation.answer(argument.rsplit(" ", 1)[-1]),
        relation.is_classification,
    )


def _open(count: int, word: str) -> Family:
    def solve(_: str, category: str) -> str:
        return ", ".join(CATEGORIES[category][:count])

    def accepts(_: str, category: str, answer: str) -> bool:
        items = split_list(answer)
        return len(set(items)) == len(items) == count and set(items) <= set(CATEGORIES[category])

    phrasings = (
        f"{{v}} {word} different {{x}}.",
        f"Make a list of {word} {{x}}.",
        f"Which {word} {{x}} come to your mind?",
    )
    return Family(
        f"name_{word}", "open", "none", phrasings, tuple(SINGULAR), solve, accepts=accepts
    )


def _from_row(row: TaskRow, group: str) -> Family:
    return Family(
        row.name,
        group,
        row.kind,
        row.phrasings,
        row.arguments,
        row.solve,
        row.is_classification,
        row.sampler,
        row.validator,
        further=recombined(row.phrasings),
    )


def _families() -> list[Family]:
    """All families, in a fixed order."""
    return [
        *(_relation(relation) for relation in RELATIONS),
        *(_map(RELATION[name]) for name in MAPPED),
        *(family for name in TWO_STEP for family in _two_step(RELATION[name])),
        *(_property(fact) for fact in PROPERTIES),
        *(_conditional(fact) for fact in PROPERTIES),
        *(_from_row(row, "list") for row in LIST_TASKS),
        *(_from_row(row, "sentence") for row in SENTENCE_TASKS),
        *(_closed(name, form) for name, form in CLOSED.items()),
        *(_from_row(row, "pair") for row in PAIR_TASKS),
        *(_from_row(row, "build") for row in BUILDING_TASKS),
        *(_open(count, word) for count, word in ((2, "two"), (3, "three"), (4, "four"))),
    ]


FAMILIES: dict[str, Family] = {family.name: family for family in _families()}
"""Every family of the world by name."""
