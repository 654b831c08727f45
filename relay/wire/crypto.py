"""The encryption of callback bodies, and the forms they may arrive in (platform API §3, "Encryption")."""

from __future__ import annotations

import base64
import binascii
import functools
import hmac
from collections.abc import Iterator

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC

from relay.errors import BodyError
from relay.wire.spans import members, rough_end, string_of

KEY_BYTES = 32
PAD_BLOCK = 32  # the padding's block, twice that of the cipher
CIPHER_BLOCK = 16
WRAPPER_NAMES = ("encrypt", "encrypted", "data", "msg", "content")

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_MOST_MEMBERS = 64  # of a wrapper or a notification that are looked at
_MAX_WRAPPERS = 4  # an object in a string in an object in a string: nobody means more
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_PADS = tuple(bytes([size]) * size for size in range(PAD_BLOCK + 1))


def parse_key(text: str) -> bytes:
    """Give the 32 bytes of an `encoding_aes_key`: 32 ASCII characters as they are, or 43 of base64.

    Raises ValueError for anything else; its sentence never contains the key.
    """
    if not text.isascii():
        raise ValueError("the key must consist of ASCII characters")
    if len(text) == KEY_BYTES:
        return text.encode("ascii")
    if len(text) != 43:
        raise ValueError(f"the key must have 32 characters, or 43 of base64, not {len(text)}")
    try:
        key = base64.b64decode(text + "=", validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("the key has 43 characters but is not base64")
    return key


def encrypt(plaintext: bytes, key: bytes) -> bytes:
    """Encrypt `plaintext` as the platform does, as base64 text."""
    size = PAD_BLOCK - len(plaintext) % PAD_BLOCK
    encryptor = Cipher(AES256(key), CBC(key[:CIPHER_BLOCK])).encryptor()
    return base64.b64encode(encryptor.update(plaintext + _PADS[size]) + encryptor.finalize())


def open_body(body: bytes, key: bytes, *, allow_plaintext: bool) -> bytes:
    """Give the JSON text inside a callback body, whichever wire form it has (platform API §3, "Wire form").

    Raises BodyError with reason "empty", "plaintext_refused", "wire_form", "padding" or "json".
    """
    try:
        ciphertext = binascii.a2b_base64(body, strict_mode=True)
    except binascii.Error:
        return _open_any(body, key, allow_plaintext, _MAX_WRAPPERS)
    if not ciphertext or len(ciphertext) % CIPHER_BLOCK:
        return _open_any(body, key, allow_plaintext, _MAX_WRAPPERS)
    return _open_ciphertext(ciphertext, key)


def _open_any(body: bytes, key: bytes, allow_plaintext: bool, wrappers: int) -> bytes:
    text = body.strip(_SPACE).removeprefix(_BOM).strip(_SPACE)
    if not text:
        raise BodyError("empty")
    if not _is_plaintext(text):
        return _open_wrapped(body, text, key, allow_plaintext, wrappers)
    if not _is_utf8(text) and (opened := _open_by_chance(body, key)):
        return opened
    if not allow_plaintext:
        raise BodyError("plaintext_refused")
    return text


def _open_by_chance(body: bytes, key: bytes) -> bytes:
    """Open a raw ciphertext whose first byte happens to be a bracket; b"" if it is none."""
    try:
        return _open_ciphertext(body, key)
    except BodyError:
        return b""


def _open_wrapped(body: bytes, text: bytes, key: bytes, allow_plaintext: bool, wrappers: int) -> bytes:
    failure: BodyError | None = None
    for inner in _inner_texts(text) if wrappers else ():
        try:
            return _open_any(inner, key, allow_plaintext, wrappers - 1)
        except BodyError as error:
            failure = failure or error
    ciphertext = _from_base64(text)
    if not ciphertext and failure:
        raise failure
    return _open_ciphertext(ciphertext or body, key)


def _is_plaintext(text: bytes) -> bool:
    return text[:1] == b"[" or (text[:1] == b"{" and "type" in _members(text))


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _members(text: bytes) -> dict[str, bytes]:
    try:
        return {name: text[a:b] for name, (a, b) in members(text, 0, rough_end, _MOST_MEMBERS).items()}
    except ValueError:
        return {}


def _inner_texts(text: bytes) -> Iterator[bytes]:
    if text[:1] == b'"':
        yield from _string_value(text)
    elif text[:1] == b"{":
        members = _members(text)
        named = [members[name] for name in WRAPPER_NAMES if name in members]
        others = [value for value in members.values() if value[:1] == b'"']
        for value in named or (others if len(others) == 1 else []):
            yield from _string_value(value) if value[:1] == b'"' else (value,)


def _string_value(text: bytes) -> Iterator[bytes]:
    try:
        yield string_of(text).encode()
    except ValueError:  # no string, or one that is no text
        return


def _from_base64(text: bytes) -> bytes:
    """Decode base64 that may be broken into lines, unpadded or of the URL alphabet; b"" if it is none."""
    bare = text.translate(_TO_STANDARD, _SPACE).rstrip(b"=")
    try:
        ciphertext = binascii.a2b_base64(bare + b"=" * (-len(bare) % 4), strict_mode=True)
    except binascii.Error:
        return b""
    return ciphertext if len(ciphertext) % CIPHER_BLOCK == 0 else b""


def _open_ciphertext(ciphertext: bytes, key: bytes) -> bytes:
    if len(ciphertext) % CIPHER_BLOCK:
        raise BodyError("wire_form")
    text = _unpad(_decrypt(ciphertext, key))
    if text[:1] not in (b"[", b"{"):
        text = text.removeprefix(_BOM).lstrip(_SPACE)
        if text[:1] not in (b"[", b"{"):
            raise BodyError("json")
    return text


def _decrypt(ciphertext: bytes, key: bytes) -> bytes:
    """Decrypt whole blocks with a decryptor that has done others before.

    In CBC only the ciphertext block before it matters to a block. So the IV goes in as a block first, what
    comes of it is dropped, and after that, any decryptor of this key is as good as new.
    """
    idle = _idle_decryptors(key)
    try:
        decryptor = idle.pop()  # nobody else's meanwhile, in whichever thread
    except IndexError:
        decryptor = Cipher(AES256(key), CBC(key[:CIPHER_BLOCK])).decryptor()
    text = decryptor.update(key[:CIPHER_BLOCK] + ciphertext)
    idle.append(decryptor)  # where an error left it between two blocks, it is not used again
    return text[CIPHER_BLOCK:]


@functools.lru_cache(maxsize=4)
def _idle_decryptors(_key: bytes) -> list[CipherContext]:
    """A key's decryptors that nobody uses: to make one takes ten times as long as a callback takes it."""
    return []


def _unpad(padded: bytes) -> bytes:
    """Strip the padding by hand: libraries know blocks of 16 only; the pad is compared in constant time."""
    size = padded[-1]
    if not 1 <= size <= min(PAD_BLOCK, len(padded)) or not hmac.compare_digest(padded[-size:], _PADS[size]):
        raise BodyError("padding")
    return padded[:-size]
