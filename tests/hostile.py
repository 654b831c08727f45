"""What no platform should send and one may send all the same: JSON values, and the places they stand in."""

from __future__ import annotations

from collections.abc import Mapping

DEPTH = 100_000
ACCOUNT = b"1688850000000001"


def deep(opening: bytes, inner: bytes = b"1", depth: int = DEPTH) -> bytes:
    """A value inside `depth` others; `opening` is `[` or `{"a":`."""
    return opening * depth + inner + (b"]" if opening == b"[" else b"}") * depth


VALUES: Mapping[str, bytes] = {
    "arrays in arrays": deep(b"["),
    "objects in objects": deep(b'{"a":', depth=DEPTH // 50),
    "both in turn": b'[{"a":' * (DEPTH // 50) + b"0" + b"}]" * (DEPTH // 50),
    "a long whole number": b"9" * 5000,
    "a long negative number": b"-" + b"9" * 5000,
    "a long fraction": b"0." + b"3" * 5000,
    "a long exponent": b"1e" + b"9" * 5000,
    "a large exponent": b"1e999999999",
    "a tiny number": b"1E-999999999",
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "-Infinity": b"-Infinity",
    "a surrogate, escaped": rb'"a\ud800b"',
    "surrogates in the wrong order": rb'"\udc00\ud800"',
    "a surrogate, raw": b'"a\xed\xa0\x80b"',
    "NUL, escaped": rb'"a\u0000b"',
    "NUL, raw": b'"a\x00b"',
    "invalid UTF-8": b'"\xff\xfe\x80"',
    "UTF-8 cut off": b'"\xe4\xbd"',
    "overlong UTF-8": b'"\xc0\xaf\xe0\x80\xaf"',
    "beyond Unicode": b'"\xf7\xbf\xbf\xbf"',
    "terminal escapes": b'"\\u001b[2J\\u001b]0;x\\u0007\x1b[31m\\u009b1m\\u202eabc"',
    "a name with NUL": rb'{"\u0000":1,"a\u0000":[2]}',
    "a name with a surrogate": rb'{"\ud800":1}',
    "a name that is no UTF-8": b'{"\xff":1}',
    "an empty name": b'{"":{"":""}}',
    "names twice": b'{"a":1,"a":2,"\\u0061":{"a":3}}',
    "many keys": b"{%b}" % b",".join(b'"k%d":%d' % (i, i) for i in range(20_000)),
    "the same key often": b"{%b}" % b",".join([b'"k":0'] * 20_000),
    "many elements": b"[%b]" % b",".join([b"0"] * 50_000),
    "empty arrays": b"[%b]" % b",".join([b"[]"] * 20_000),
    "a long string": b'"' + b"x" * 200_000 + b'"',
    "a string of escapes": b'"' + rb"\u4f60" * 30_000 + b'"',
    "an encoded object": rb'"{\"text\":\"price\",\"items\":[{\"text\":\"\\ud800\"}]}"',
    "an encoded depth": b'"%b"' % deep(b"["),
    "a text": b'"text"',
    "an empty text": b'""',
    "white space": b'" \\t\\n\\r\\u00a0\\u3000"',
    "a fraction": b"1.5",
    "a number with exponent": b"-1E+2",
    "minus zero": b"-0",
    "more than 64 bits": b"99999999999999999999",
    "zero": b"0",
    "true": b"true",
    "false": b"false",
    "null": b"null",
    "an empty array": b"[]",
    "an empty object": b"{}",
    "an array": b'["a",[1],{"b":null}]',
    "an object": b'{"a":{"b":[]},"text":5,"items":{"text":[]}}',
}
"""JSON as far as strings and brackets tell, although decoders refuse some of it."""

FIELDS = (
    *("svrid", "wx_svrid", "wx_msgid", "wxid", "chat_wxid", "chat_type", "from_wxid", "to_wxid"),
    *("msg_type", "msg_time", "extra", "api_send_id", "api_send_svrid", "content"),
)
"""The members of an entry that we read."""


def fields(value: bytes) -> tuple[str, ...]:
    """Where to try a value: everywhere, or a large one in three places that are read differently."""
    return FIELDS if len(value) < 20_000 else ("content", "extra", "svrid")


def entry(**more: bytes) -> bytes:
    """A chatMsg entry with these members, JSON by name, instead of ordinary ones."""
    members = {
        "svrid": b'"1"',
        "chat_wxid": b'"R:10950000000000001"',
        "chat_type": b"2",
        "from_wxid": b'"7881300000000001"',
        "msg_type": b'"text"',
        "msg_time": b"1700000000000",
        "content": b'{"items":[{"type":"text","text":"price"}]}',
        **more,
    }
    return b"{%b}" % b",".join(b'"%b":%b' % (name.encode(), value) for name, value in members.items())


def envelope(*entries: bytes, kind: bytes = b'"chatMsg"', more: bytes = b"") -> bytes:
    """A callback's JSON with one notification."""
    head = b'"type":%b,"rel_wxid":"%b"%b' % (kind, ACCOUNT, more)
    return b'[{%b,"data":[%b]}]' % (head, b",".join(entries))
