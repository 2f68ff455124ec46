"""Which topics the rows may have: an unknown one, or an exclusion that matches none, is an error.

The published list of exclusions had a missing comma and a name that was cut off, so topics that
were meant to be left out stayed in, in silence. Here all names of that list have to be declared
topics, and every row has to have one of those. Where no topics are declared, every name of the list
has to be the topic of some row, and every row has to have a topic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from selfsown.core.errors import ConfigError, InputError
from selfsown.core.nearest import did_you_mean
from selfsown.documents.document import Document, Unread
from selfsown.topics.choice import match

_REMEMBERED: Final = 1000
"""Topics of which one may be what a misspelt exclusion means."""


class Topics:
    """What the config says of topics; names are compared without case and spaces around them."""

    def __init__(
        self, declared: Sequence[str], excluded: Sequence[str], default: str | None
    ) -> None:
        """Take the config.

        Args:
            declared: all topics that rows may have, excluded ones included; none: any.
            excluded: topics whose documents are rejected.
            default: stands for topics that are not declared, and for none; None: those are errors.

        Raises:
            ConfigError: topics are declared, and an excluded one or the default is not among them;
                or the default is excluded.
        """
        self._declared, self._excluded = _by_match(declared), _by_match(excluded)
        self._known = self._declared or self._excluded
        self._default = default
        for name in excluded:
            if self._declared and match(name) not in self._declared:
                raise _matches_nothing(name, declared, "declared")
        if default is None:
            return
        is_wanted = not self._declared or match(default) in self._declared
        if not is_wanted or match(default) in self._excluded:
            raise ConfigError(
                f"the default topic `{default}` is not declared, or is excluded",
                why="documents without a known topic would get one that is not wanted",
                fix="add it to `topics`, or choose one of them",
            )

    def of(self, document: Document) -> str:
        """The topic of a document, as the config writes it where it does; empty if it has none.

        Raises:
            InputError: it is not declared, or missing where that matters, and there is no default.
        """
        given = document.fields.get("topic")
        topic = " ".join(given.split()) if isinstance(given, str) else ""
        name = match(topic)
        if name in self._known:
            return self._known[name]
        matters = bool(self._declared) or (bool(self._excluded) and not topic)
        if self._default is not None and (matters or not topic):
            return self._default
        if matters:
            raise self._unknown(document, topic)
        return topic

    def is_excluded(self, topic: str) -> bool:
        """Whether documents of a topic are left out."""
        return match(topic) in self._excluded

    def check(self, documents: Iterable[Document | Unread]) -> None:
        """Look at all documents once.

        Raises:
            InputError: a topic is not declared.
            ConfigError: an excluded topic is that of no document.
        """
        unmatched = {} if self._declared else dict(self._excluded)
        seen: dict[str, None] = {}
        for document in documents:
            if isinstance(document, Unread):
                continue
            topic = self.of(document)
            unmatched.pop(match(topic), None)
            if unmatched and len(seen) < _REMEMBERED:
                seen[topic] = None
        for name in unmatched.values():
            raise _matches_nothing(name, list(seen), "of these documents")

    def _unknown(self, document: Document, topic: str) -> InputError:
        has = f"the topic `{topic}`" if topic else "no topic"
        if not self._declared:
            return InputError(
                f"document `{document.id}` has {has}",
                why="nobody can tell whether it is one of `exclude_topics`",
                fix="give every row a `topic`, or a `default_topic` for those without",
            )
        return InputError(
            f"document `{document.id}` has {has}, and not one of `topics`",
            why=f"declared are {', '.join(f'`{name}`' for name in self._declared.values())}",
            fix=did_you_mean(topic, list(self._declared.values()))
            or "add it to `topics`, exclude it, or give a `default_topic`",
        )


def _matches_nothing(name: str, topics: Sequence[str], which: str) -> ConfigError:
    return ConfigError(
        f"the excluded topic `{name}` is none of the topics {which}",
        why="a name that is misspelt would leave in what is meant to stay out",
        fix=did_you_mean(name, topics)
        or "correct it; or, if these are a part of the documents, declare all `topics`",
    )


def _by_match(names: Iterable[str]) -> Mapping[str, str]:
    return {match(name): name for name in names}
