"""What text that is no YAML raises.

PyYAML's constructors of dates, numbers and the like let through whatever they stumble over
(`2001-99-99`, `!!timestamp x`, `!!bool x`), and what is nested too deep is a recursion.
"""

from __future__ import annotations

from typing import Final

import yaml

YAML_ERRORS: Final = (
    *(yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, RecursionError),
)
