"""What a caller passed: members of a JSON body or of the query, with the text of each value kept."""

from __future__ import annotations

from collections.abc import Mapping

from relay.simulator import verbatim
from relay.simulator.answers import MAX_PAGE_SIZE, Refusal


class Parameters:
    """The fields of one call, read strictly: what the platform would stumble over is refused with 406."""

    def __init__(self, texts: Mapping[str, str], *, from_query: bool) -> None:
        self._texts = texts
        self._from_query = from_query

    @classmethod
    def of_body(cls, body: bytes) -> Parameters:
        """Read a JSON body; anything but an object is refused."""
        try:
            text = verbatim.text_of(body)
            verbatim.check(text)
            if not text.lstrip().startswith("{"):
                raise Refusal(406, "the body is not a JSON object")
            return cls(verbatim.members(text), from_query=False)
        except ValueError as exc:
            raise Refusal(406, "the body is not JSON") from exc

    @classmethod
    def of_query(cls, query: Mapping[str, str]) -> Parameters:
        """Read the query, where every value is a string."""
        return cls(query, from_query=True)

    def raw(self, name: str) -> str:
        """Give the text of a value as it came; "" where it is missing."""
        return self._texts.get(name, "")

    def raw_bytes(self, name: str) -> bytes:
        """Give the bytes of a value as they came."""
        return verbatim.bytes_of(self.raw(name))

    def value(self, name: str) -> object:
        """Give a value; None where it is missing."""
        text = self.raw(name)
        return text if self._from_query and text else verbatim.value_of(text) if text else None

    def text(self, name: str, default: str | None = None) -> str:
        """Give a string, never a number; without a default it must be there and not be empty."""
        value = self.value(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or (not value and default is None):
            raise Refusal(406, f"{name} must be a string")
        return value

    def number(self, name: str, default: int) -> int:
        """Give a whole number."""
        value = self.value(name)
        if value is None or value == "":
            return default
        if self._from_query and isinstance(value, str) and value.lstrip("-").isdecimal() and len(value) < 10:
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Refusal(406, f"{name} must be a whole number")
        return value

    def list_of_texts(self, name: str) -> list[str]:
        """Give a list of strings with at least one item."""
        value = self.value(name)
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise Refusal(406, f"{name} must be a list of strings, and not be empty")
        return value

    def objects(self, name: str) -> list[Parameters]:
        """Give a list of objects with at least one item, each with the texts of its members."""
        texts = verbatim.items(self.raw(name))
        if not texts or not all(text.startswith("{") for text in texts):
            raise Refusal(406, f"{name} must be a list of objects, and not be empty")
        return [Parameters(verbatim.members(text), from_query=False) for text in texts]

    def paging(self) -> tuple[int, int]:
        """Give page (from 1) and page_size (up to 100)."""
        page, page_size = self.number("page", 1), self.number("page_size", 20)
        if page < 1 or not 1 <= page_size <= MAX_PAGE_SIZE:
            raise Refusal(406, f"page counts from 1, page_size goes up to {MAX_PAGE_SIZE}")
        return page, page_size
