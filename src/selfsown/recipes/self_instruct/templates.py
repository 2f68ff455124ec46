"""The prompts of Self-Instruct, any of them replaceable by the user."""

from __future__ import annotations

from collections.abc import Mapping

from selfsown.recipes.prompt_files import PromptFiles
from selfsown.recipes.self_instruct.options import PROMPT_NAMES


class Templates(PromptFiles):
    """The compiled prompts of one run."""

    def __init__(self, replaced: Mapping[str, str]) -> None:
        """Compile all prompts; `replaced` maps names to the user's own template texts.

        Raises:
            ConfigError: a template of the user's does not parse.
        """
        super().__init__("selfsown.recipes.self_instruct", PROMPT_NAMES, replaced)
