"""What licence a folder or a page states, as a short name where the text is a known one.

A statement is passed on, never checked: whether it covers the document is for people to judge.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from selfsown.documents.decoding import decoded
from selfsown.documents.opening import whole
from selfsown.documents.refusal import Refused

_NAMES: Final = re.compile(r"(?i)(licen[cs]e|copying|copyright|unlicense)(\.(txt|md|rst))?")
_SPDX: Final = re.compile(r"SPDX-License-Identifier:\s*([\w.+() -]{2,80})")
_DEBIAN: Final = re.compile(r"^License:[ \t]*(\S.{0,80}?)[ \t]*$", re.MULTILINE)
"""A machine-readable `copyright` of Debian; its first licence is that of the files in general."""
_MOST_BYTES: Final = 200_000
_LONGEST: Final = 100
_KNOWN: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (r"apache license,?\s+version 2\.0", "Apache-2.0"),
        (r"gnu affero general public license\s+version 3", "AGPL-3.0"),
        (r"gnu lesser general public license\s+version 3", "LGPL-3.0"),
        (r"gnu lesser general public license\s+version 2\.1", "LGPL-2.1"),
        (r"gnu general public license\s+version 3", "GPL-3.0"),
        (r"gnu general public license\s+version 2", "GPL-2.0"),
        (r"gnu free documentation license\s+version 1\.3", "GFDL-1.3"),
        (r"mozilla public license,? (version )?2\.0", "MPL-2.0"),
        (r"python software foundation license version 2", "PSF-2.0"),
        (r"cc0 1\.0 universal", "CC0-1.0"),
        (r"attribution-noncommercial-sharealike 4\.0", "CC-BY-NC-SA-4.0"),
        (r"attribution-noncommercial 4\.0", "CC-BY-NC-4.0"),
        (r"attribution-sharealike 4\.0", "CC-BY-SA-4.0"),
        (r"attribution-sharealike 3\.0", "CC-BY-SA-3.0"),
        (r"attribution 4\.0 international", "CC-BY-4.0"),
        (r"this is free and unencumbered software released into the public domain", "Unlicense"),
        (r"neither the name of .{1,200} nor the names of", "BSD-3-Clause"),
        (r"redistributions? in binary form must reproduce", "BSD-2-Clause"),
        (r"permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"),
    )
)
_WEB: Final = re.compile(
    r"https?://creativecommons\.org/(?:licenses/([a-z-]{2,11})|publicdomain/(zero|mark))/(\d\.\d)"
)


def states_licence(name: str) -> bool:
    """Whether a file of this name states the licence of its folder."""
    return _NAMES.fullmatch(name) is not None


def stated_licence(path: Path) -> str:
    """What such a file states: an SPDX name, or its first line if it is short, or where it is."""
    try:
        text, _ = decoded(whole(path, _MOST_BYTES))
    except Refused:
        return f"see {path.name}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and len(lines[0]) <= _LONGEST:
        return lines[0]
    if found := _SPDX.search(text):
        return found[1].strip()
    if found := _DEBIAN.search(text):
        return found[1]
    words = " ".join(text[:20_000].split())
    name = next((name for pattern, name in _KNOWN if pattern.search(words)), "")
    return name or f"see {path.name}"


def short_licence(stated: str) -> str:
    """A licence as a page states it; addresses of Creative Commons as their SPDX names."""
    found = _WEB.search(stated)
    if found is None:
        return " ".join(stated.split())[:_LONGEST]
    if found[2]:
        return f"CC0-{found[3]}" if found[2] == "zero" else f"PDM-{found[3]}"
    return f"CC-{found[1].upper()}-{found[3]}"
