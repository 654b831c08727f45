from __future__ import annotations

import base64
import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import BodyError
from relay.wire.crypto import encrypt, open_body, parse_key

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/callback-encryption.json").read_text())
KEY = parse_key(VECTORS["key"])
TEXT = '[{"type":"x","data":["你好"]}]'.encode()
CIPHERTEXT = encrypt(TEXT, KEY)


def raw_encrypt(padded: bytes) -> bytes:
    encryptor = Cipher(AES256(KEY), CBC(KEY[:16])).encryptor()
    return encryptor.update(padded) + encryptor.finalize()


def reason(body: bytes, *, allow_plaintext: bool = False) -> str:
    with pytest.raises(BodyError) as caught:
        open_body(body, KEY, allow_plaintext=allow_plaintext)
    return caught.value.reason


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: f"pad {vector['pad']}")
def test_platform_vectors(vector: dict[str, str]) -> None:
    assert encrypt(vector["plaintext"].encode(), KEY).decode() == vector["ciphertext"]
    opened = open_body(vector["ciphertext"].encode(), KEY, allow_plaintext=False)
    assert opened == vector["plaintext"].encode()


@given(st.binary(max_size=200))
def test_what_is_encrypted_opens_again(tail: bytes) -> None:
    assert open_body(encrypt(b"[" + tail, KEY), KEY, allow_plaintext=False) == b"[" + tail


@given(st.lists(st.tuples(st.binary(max_size=100), st.sampled_from([KEY, b"k" * 32])), max_size=5))
def test_what_was_opened_before_makes_no_difference(bodies: list[tuple[bytes, bytes]]) -> None:
    for tail, key in bodies:
        assert open_body(encrypt(b"[" + tail, key), key, allow_plaintext=False) == b"[" + tail
        with contextlib.suppress(BodyError):
            open_body(base64.b64encode(tail[: len(tail) // 16 * 16]), key, allow_plaintext=False)


def test_threads_open_bodies_side_by_side() -> None:
    texts = [b"[%d" % number + b" " * 200_000 for number in range(20)]
    bodies = [encrypt(text, KEY) for text in texts]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda body: open_body(body, KEY, allow_plaintext=False), bodies)) == texts


def test_a_key_is_32_characters_or_43_of_base64() -> None:
    assert parse_key("k" * 32) == b"k" * 32
    assert parse_key(base64.b64encode(bytes(range(32))).decode().rstrip("=")) == bytes(range(32))


@pytest.mark.parametrize(
    "text", ["", "k" * 31, "k" * 33, "k" * 44, "?" * 43, "你" * 32, "k" * 42 + "=", "\ud800" * 32]
)
def test_any_other_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="the key") as caught:
        parse_key(text)
    assert not text or text not in str(caught.value)


WIRE_FORMS = {
    "base64": CIPHERTEXT,
    "unpadded base64": CIPHERTEXT.rstrip(b"="),
    "base64 in lines": b"\r\n".join(CIPHERTEXT[i : i + 20] for i in range(0, len(CIPHERTEXT), 20)) + b"\n",
    "base64 for URLs": CIPHERTEXT.replace(b"+", b"-").replace(b"/", b"_"),
    "base64 after a BOM": b"\xef\xbb\xbf" + CIPHERTEXT,
    "JSON string": json.dumps(CIPHERTEXT.decode()).encode(),
    "JSON string with escaped slashes": b' "' + CIPHERTEXT.replace(b"/", b"\\/") + b'" ',
    "object with encrypt": b'{"encrypt":"%b"}' % CIPHERTEXT,
    "object with encrypted": b'{"encrypted":"%b", "time": NaN}' % CIPHERTEXT,
    "object with data, after a msg that is something else": b'{"msg":"ok","data":"%b"}' % CIPHERTEXT,
    "object with content, after an empty data": b'{"data":"","content":"%b"}' % CIPHERTEXT,
    "object with a single string of any name": b'{"n":1,"payload":"%b"}' % CIPHERTEXT,
    "object in an object": b'{"data":{"encrypt":"%b"}}' % CIPHERTEXT,
    "object in a string": json.dumps(json.dumps({"encrypt": CIPHERTEXT.decode()})).encode(),
    "string in a string": json.dumps(json.dumps(CIPHERTEXT.decode())).encode(),
    "raw": base64.b64decode(CIPHERTEXT),
}


@pytest.mark.parametrize("name", WIRE_FORMS)
def test_every_wire_form_opens(name: str) -> None:
    assert open_body(WIRE_FORMS[name], KEY, allow_plaintext=False) == TEXT
    assert open_body(WIRE_FORMS[name], KEY, allow_plaintext=True) == TEXT


@pytest.mark.parametrize("first", [b"[", b"{", b'"', b" ", b"A"])
def test_a_raw_ciphertext_may_begin_with_any_byte(first: bytes) -> None:
    texts = (b"[%d]" % number for number in range(10_000))
    ciphertexts = (base64.b64decode(encrypt(text, KEY)) for text in texts)
    body = next(body for body in ciphertexts if body[:1] == first)
    assert open_body(body, KEY, allow_plaintext=False).startswith(b"[")
    assert open_body(body, KEY, allow_plaintext=True).endswith(b"]")


PLAINTEXTS = [
    TEXT,
    b"\xef\xbb\xbf \n" + TEXT,
    b'{"type":"chatMsg","data":{}}',
    b'[{"type":"x","data":["\xff"]}]',
    b'{"type":"x","data":["\xff", bad]}',
    b"[broken",
    json.dumps(TEXT.decode()).encode(),
]


@pytest.mark.parametrize("body", PLAINTEXTS)
def test_plaintext_opens_only_where_it_is_allowed(body: bytes) -> None:
    assert reason(body) == "plaintext_refused"
    opened = open_body(body, KEY, allow_plaintext=True)
    assert opened[:1] in (b"[", b"{")
    assert opened in body or opened == TEXT


@pytest.mark.parametrize("size", range(33))
def test_a_pad_is_1_to_32_equal_bytes(size: int) -> None:
    text = b"[1]".ljust(64 - size)
    assert len(raw_encrypt(text + bytes([size]) * size)) == 64
    if size:
        assert open_body(raw_encrypt(text + bytes([size]) * size), KEY, allow_plaintext=False) == text
    if size > 1:
        assert reason(raw_encrypt(text + b"\0" + bytes([size]) * (size - 1))) == "padding"


@pytest.mark.parametrize("last", [0, 33, 48, 255])
def test_a_pad_of_another_size_is_refused(last: int) -> None:
    assert reason(raw_encrypt(b"[1]".ljust(64 - 1) + bytes([last]))) == "padding"


def test_a_pad_longer_than_the_text_is_refused() -> None:
    assert reason(raw_encrypt(bytes([32]) * 16)) == "padding"


@pytest.mark.parametrize("text", [b"hello", b"", b'"[]"', b"12"])
def test_what_decrypts_to_no_array_or_object_is_refused(text: bytes) -> None:
    assert reason(encrypt(text, KEY)) == "json"


@pytest.mark.parametrize("body", [b"", b" \r\n", b"\xef\xbb\xbf"])
def test_an_empty_body_has_a_reason_of_its_own(body: bytes) -> None:
    assert reason(body) == "empty"


@pytest.mark.parametrize(
    "body",
    [b"hello world", b"\xff" * 17, b"{", b"{}", b'"', b'{"n":1}', b'{"a":"x","b":"y"}', b"QUJD", b"a" * 5],
)
def test_what_has_no_known_form_is_refused(body: bytes) -> None:
    assert reason(body, allow_plaintext=True) == "wire_form"


def test_a_bom_inside_the_encryption_is_dropped() -> None:
    assert open_body(encrypt(b"\xef\xbb\xbf " + TEXT, KEY), KEY, allow_plaintext=False) == TEXT


def test_wrappers_without_end_are_refused() -> None:
    assert reason(b'{"data":' * 50_000 + b'""' + b"}" * 50_000) == "wire_form"


@given(st.binary(max_size=100) | st.text('[]{}":,aA1=+/ \\\n').map(str.encode), st.booleans())
def test_any_body_opens_or_has_a_reason(body: bytes, allow_plaintext: bool) -> None:
    try:
        outcome = open_body(body, KEY, allow_plaintext=allow_plaintext)[:1].decode()
    except BodyError as error:
        outcome = error.reason
    assert outcome in {"[", "{", "empty", "plaintext_refused", "wire_form", "padding", "json"}
