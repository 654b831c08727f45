"""Hypothesis strategies for JSON *texts*: valid, but spelled as no encoder of ours would."""

from __future__ import annotations

from hypothesis import strategies as st

SPACE = st.sampled_from(["", "", "", " ", "\n", "\t ", "\r\n"])
NUMBERS = st.one_of(
    st.sampled_from(
        ["0", "-0", "1.10", "1e3", "1E+2", "-0.0", "12345678901234567890123", "1e400", "9" * 5000]
    ),
    st.integers().map(str),
)
ODD = ["NaN", "Infinity", "-Infinity"]
PIECES = [r"\u4f60", r"\ud83d\ude00", r"\u0000", r"\/", r"\"", r"\\", r"\n", "你", "😀", "[", "]}", ",", ":"]
PLAIN_STRINGS = st.lists(st.one_of(st.sampled_from(PIECES), st.text("abc", max_size=3)), max_size=4)
ODD_STRINGS = st.lists(st.sampled_from([*PIECES, r"\ud800", r"\uDC00", "\x01", "\x7f"]), max_size=4)


def quoted(pieces: list[str]) -> str:
    return '"' + "".join(pieces) + '"'


def nested(text: str, depth: int) -> str:
    return "[" * depth + text + "]" * depth


def values(odd: bool) -> st.SearchStrategy[str]:
    """JSON values; `odd` ones hold what RFC 8259 or Unicode forbids and platforms send all the same."""
    strings = (ODD_STRINGS if odd else PLAIN_STRINGS).map(quoted)
    literals = st.sampled_from(["true", "false", "null", *(ODD if odd else [])])
    leaves = st.one_of(strings, NUMBERS, literals)
    return st.recursive(
        leaves, lambda inner: arrays(inner) | objects(inner, strings) | deep(inner), max_leaves=8
    )


def arrays(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    items = st.lists(st.tuples(SPACE, inner, SPACE).map("".join), max_size=4)
    return st.tuples(items, SPACE).map(lambda drawn: "[" + ",".join(drawn[0]) + drawn[1] + "]")


def objects(inner: st.SearchStrategy[str], names: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    repeated = names | st.sampled_from(['"a"', '"content"', '"msg_type"'])
    pair = st.tuples(SPACE, repeated, SPACE, st.just(":"), SPACE, inner, SPACE).map("".join)
    return st.lists(pair, max_size=4).map(lambda pairs: "{" + ",".join(pairs) + " }")


def deep(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(nested, inner, st.integers(1, 40))
