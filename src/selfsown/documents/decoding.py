"""Bytes as text: what a mark, a declaration or UTF-8 says, else a guess that is put on record.

Text in no encoding that could be told, and UTF-8 with broken places in it, is refused rather than
garbled. A guess is one by charset-normalizer; between encodings that are equally likely the
Western one (cp1252) wins, and the record names the others. HZ and UTF-7 are taken for the ASCII
that they consist of.
"""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass
from typing import IO, Final

from selfsown.documents.refusal import Refused

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CANDIDATES: Final = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "iso8859_2",
    "koi8_r", "cp932", "euc_jp", "gb18030", "big5", "cp949",
]  # fmt: skip
"""What is guessed among; the code pages of old consoles are left out, they fit anything."""
_SHIFTING: Final = ("iso2022_jp_2", "iso2022_kr")
"""Encodings in seven bits, which pass for ASCII but for escapes that shift between alphabets."""
_SAMPLE: Final = 1 << 16
_BLOCK: Final = 1 << 16
_BROKEN: Final = re.compile("[\udc80-\udcff]")
_FOREIGN: Final = re.compile("[^\x00-\x7f\udc80-\udcff]")
_CONTROLS: Final = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MOST_CONTROLS: Final = 0.01
"""Share of control characters above which something is no text."""
_CHAOS, _COHERENCE = 0.02, 0.15
"""By how much the Western encoding may be behind the likeliest one and still win."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How bytes are to be read."""

    codec: str
    guess: str = ""
    """In words, if it was guessed: `cp1252, a guess; or cp1254`."""


def decoded(data: bytes, declared: str = "") -> tuple[str, str]:
    """The text with plain line ends, and the guess in words if its encoding was guessed.

    Args:
        data: of the whole file, or of one line.
        declared: an encoding that the file names itself.

    Raises:
        Refused: `binary` or `encoding`.
    """
    found = encoding_of(io.BytesIO(data), declared)
    return one_form(_strict(data, found.codec)), found.guess


def encoding_of(stream: IO[bytes], declared: str = "") -> Encoding:
    """The encoding of a stream that is read once from here to its end, block by block.

    Raises:
        Refused: `binary` or `encoding`.
    """
    head = stream.read(_BLOCK)
    if codec := marked(head):
        return Encoding(codec)
    if codec := _unmarked_wide(head):
        return Encoding(codec, f"{codec}, a guess")
    if codec := next((one for one in _SHIFTING if b"\x1b$" in head and _fits(head, one)), ""):
        return Encoding(codec, f"{codec}, a guess")
    if b"\0" in head:
        raise Refused("binary", f"it has a zero byte at {head.index(0):,}")
    if declared and _is_known(declared):
        codec = _web_name(declared)
        if _fits(head, codec):
            return Encoding(codec)
    sample = _first_broken(stream, head)
    return Encoding("utf-8") if sample is None else _guessed(sample)


def marked(head: bytes) -> str:
    """The codec that a byte order mark at the very start stands for; empty without one."""
    return next((codec for mark, codec in _MARKS if head.startswith(mark)), "")


def one_form(text: str) -> str:
    """The text with a newline, and nothing else, at the end of each line.

    Raises:
        Refused: it has so many control characters that it is no text, or a zero.
    """
    sample = text[: 4 * _SAMPLE]
    controls = sum(1 for _ in _CONTROLS.finditer(sample))
    if "\0" in text or controls > _MOST_CONTROLS * len(sample) + 4:
        raise Refused("binary", f"{controls:,} of {len(sample):,} characters are controls")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _strict(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec)
    except (UnicodeDecodeError, LookupError) as error:
        raise Refused("encoding", f"it seems to be {codec}, but {error}"[:200]) from error


def _unmarked_wide(head: bytes) -> str:
    """UTF-16 without its mark: nearly every second byte of Western text is zero."""
    half = len(head) // 2
    for codec, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        if half >= 4 and zeros.count(0) > 0.7 * half and head.count(0) < 1.2 * zeros.count(0):
            return codec
    return ""


def _is_known(name: str) -> bool:
    try:
        return codecs.lookup(name)._is_text_encoding
    except LookupError:
        return False


def _web_name(name: str) -> str:
    """Latin-1 and ASCII are declared where cp1252 is meant, as every browser knows."""
    codec = codecs.lookup(name).name
    return "cp1252" if codec in ("iso8859-1", "ascii") else codec


def _fits(head: bytes, codec: str) -> bool:
    try:
        codecs.getincrementaldecoder(codec)().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _first_broken(stream: IO[bytes], block: bytes) -> bytes | None:
    """A sample from around the first place that is not UTF-8; None if all of it is."""
    decoder, before = codecs.getincrementaldecoder("utf-8")(), b""
    while True:
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError:
            return (before + block + stream.read(_SAMPLE))[-3 * _SAMPLE :]
        if not block:
            return None
        before, block = block, stream.read(_BLOCK)


def _guessed(sample: bytes) -> Encoding:
    text = sample.decode("utf-8", "surrogateescape")
    broken, whole = len(_BROKEN.findall(text)), len(_FOREIGN.findall(text))
    if whole > broken:
        place = _BROKEN.search(text)
        assert place is not None
        around = text[max(0, place.start() - 20) : place.start()].replace("\n", " ")
        raise Refused("encoding", f"it is UTF-8 with {broken:,} broken bytes, one after `{around}`")
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        raise Refused(
            "encoding", "it is not UTF-8; pip install 'selfsown[documents]' to have it guessed"
        ) from None
    matches = from_bytes(_telling(sample), cp_isolation=_CANDIDATES, enable_fallback=False)
    best = matches.best()
    if best is None:
        raise Refused("encoding", "it is not UTF-8, and no other encoding gives sensible text")
    codec = best.encoding
    for other in matches:
        is_near = other.chaos <= best.chaos + _CHAOS
        if "cp1252" in other.could_be_from_charset and is_near:
            codec = "cp1252" if other.coherence >= best.coherence - _COHERENCE else codec
    rivals = [one.encoding for one in matches if codec not in one.could_be_from_charset]
    return Encoding(codec, f"{codec}, a guess" + "".join(f"; or {one}" for one in rivals[:2]))


def _telling(sample: bytes) -> bytes:
    """The lines of a sample that are not plain ASCII, up to 16 kB: what a guess can go by."""
    lines = [line for line in sample.splitlines(keepends=True) if not line.isascii()]
    return b"".join(lines)[: _SAMPLE // 4]
