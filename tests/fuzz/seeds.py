"""What the fuzzer begins with: every hostile value in every place, and the platform's own examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import hostile

VECTORS = Path(__file__).parents[1] / "vectors" / "callback-encryption.json"
WHOLE, PLAINTEXT, ENTRY, TEXT, EVENT = b"\0\1\2\3\4"
WORDS = (
    *("type", "rel_wxid", "data", "items", "text", "chatMsg", "chatMsgSendFail", "encrypt", "message"),
    *("R:10950000000000001", "1688850000000001", "price", "announcement", "picture", *hostile.FIELDS),
)
ODD = (
    *(b"NaN", b"Infinity", b"-Infinity", b"null", b"true", b"false", b"1e999999999", b"99999999999999999999"),
    *(rb"\ud800", rb"\udc00", rb"\u0000", rb"\u005f", rb"\"", rb"\\", b"\xed\xa0\x80", b"\xc0\xaf", b"\xff"),
    *(b"\xef\xbb\xbf", b"[[[[[[[[", b"]]]]]]]]", b'{"a":{"a":{"a":', b"}}}", b'":"', b'":', b'","', b"},{"),
)


def seeds(most: int) -> Iterator[bytes]:
    """Inputs of at most so many bytes."""
    return (seed for seed in _all() if len(seed) <= most)


def _all() -> Iterator[bytes]:
    for place in range(256):
        yield bytes([place]) + b'{"text":"price"}'
    for value in hostile.VALUES.values():
        for place in (PLAINTEXT, ENTRY, TEXT, EVENT, *range(5, 8 * len(hostile.FIELDS), 8)):
            yield bytes([place]) + value
    for depth in (100, 900, 1100, 4000):
        yield bytes([TEXT]) + hostile.deep(b"[", depth=depth)
    for vector in json.loads(VECTORS.read_bytes())["vectors"]:
        yield bytes([WHOLE]) + vector["ciphertext"].encode()
        yield bytes([PLAINTEXT]) + vector["plaintext"].encode()
    plain = hostile.envelope(hostile.entry(), hostile.entry(svrid=b'"2"'))
    for text in (plain, plain[1:-1], b"\xef\xbb\xbf" + plain, plain.decode().encode("utf-16")):
        yield bytes([WHOLE]) + text
        yield bytes([PLAINTEXT]) + text
    yield bytes([WHOLE]) + b'{"encrypt":"T0Jrgz/4nUT+AvEIU0SvdfqW/KiHMgbTQby9/ohogVs="}'


def words() -> str:
    """libFuzzer's dictionary."""
    spelled = [*(b'"%b"' % word.encode() for word in WORDS), *ODD]
    return "".join(f'"{_escaped(word)}"\n' for word in spelled)


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)
