"""A long test in parts of a minute or two, so that it shows how far it is and several run at a time."""

from __future__ import annotations


def parts(count: int, size: int) -> list[tuple[int, int]]:
    """Each part by its number, with how much of `count` is in it: `size`, or what is left."""
    return [(part, min(size, count - begun)) for part, begun in enumerate(range(0, count, size))]
