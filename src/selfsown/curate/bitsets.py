"""Sets of text numbers as Python integers: bit j is text j, one operation serves all texts.

Counting works on *planes*: plane i holds bit i of every text's count, so that adding up n sets for
all texts at once takes about 5 n big-integer operations, whatever the number of texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

_FEW_BITS = 6
_NON_ZERO = re.compile(rb"[^\0]", re.DOTALL)
_BITS_OF_BYTE = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))


def count_planes(sets: Sequence[int]) -> list[int]:
    """How many of `sets` hold each text, as planes from the lowest bit up; empty for no sets.

    A tree of full adders: three sets of one weight become one of that weight and one of the next.
    """
    planes: list[int] = []
    column = list(sets)
    while column:
        carries: list[int] = []
        while len(column) >= 3:
            a, b, c = column.pop(), column.pop(), column.pop()
            odd = a ^ b
            column.append(odd ^ c)
            carries.append(a & b | odd & c)
        if len(column) == 2:
            planes.append(column[0] ^ column[1])
            carries.append(column[0] & column[1])
        else:
            planes.append(column[0])
        column = carries
    return planes


def at_least(planes: Sequence[int], count: int, among: int) -> int:
    """The texts of the set `among` whose count is `count` or more."""
    if count >> len(planes):
        return 0
    more, equal = 0, among
    for bit in reversed(range(len(planes))):
        if count >> bit & 1:
            equal &= planes[bit]
        else:
            here = equal & planes[bit]
            more |= here
            equal ^= here
        if not equal:
            break
    return more | equal


def by_count(planes: Sequence[int], among: int) -> Iterator[tuple[int, int]]:
    """Pairs (count, texts of the set `among` with that count), highest first, none empty."""
    if not among:
        return
    if not planes:
        yield 0, among
        return
    top = len(planes) - 1
    inside = among & planes[top]
    for count, texts in by_count(planes[:top], inside):
        yield count | 1 << top, texts
    yield from by_count(planes[:top], among ^ inside)


def from_hits(hits: Iterable[Iterable[int]], size: int) -> list[int]:
    """Sets whose counts add up to how often each number below `size` occurs in `hits`.

    The k-th set holds the numbers seen at least k times: few sets for many short lists.
    """
    times: dict[int, int] = {}
    layers: list[bytearray] = []
    for numbers in hits:
        for number in numbers:
            layer = times.get(number, 0)
            times[number] = layer + 1
            if layer == len(layers):
                layers.append(bytearray((size + 7) >> 3))
            layers[layer][number >> 3] |= 1 << (number & 7)
    return [int.from_bytes(layer, "little") for layer in layers]


def members(bits: int) -> Iterator[int]:
    """The numbers in a set, ascending."""
    if bits.bit_count() <= _FEW_BITS:
        yield from _few_members(bits)
        return
    for match in _NON_ZERO.finditer(bits.to_bytes((bits.bit_length() + 7) >> 3, "little")):
        position = match.start()
        for bit in _BITS_OF_BYTE[match[0][0]]:
            yield position << 3 | bit


def _few_members(bits: int) -> list[int]:
    numbers: list[int] = []
    while bits:
        number = bits.bit_length() - 1
        numbers.append(number)
        bits ^= 1 << number
    numbers.reverse()
    return numbers
