"""The platform's answers, composed as bytes (platform API §2)."""

from __future__ import annotations

from collections.abc import Sequence

from relay.simulator.entries import compose, to_json

MAX_PAGE_SIZE = 100


class Refusal(Exception):  # noqa: N818 - it is an answer of the platform, not an error of the simulator
    """The platform says no: the errcode and the sentence of its answer."""

    def __init__(self, errcode: int, message: str) -> None:
        super().__init__(f"{errcode} {message}")
        self.errcode = errcode
        self.message = message


def accepted() -> bytes:
    """Give the answer that says no more than that the call was taken."""
    return b'{"errcode":0}'


def with_data(data: bytes) -> bytes:
    """Give the answer of a call that returns something, which is given as JSON text."""
    return compose({"errcode": b"0", "data": data})


def refused(refusal: Refusal) -> bytes:
    """Give the answer of a call that was not executed."""
    return to_json({"errcode": refusal.errcode, "message": refusal.message})


def page_of(records: Sequence[bytes], page: int, page_size: int) -> bytes:
    """Give one page of records, each given as JSON text; pages count from 1."""
    start = (page - 1) * page_size
    pager = {
        "page": page,
        "perPage": page_size,
        "numRecords": len(records),
        "numPages": -(-len(records) // page_size),
    }
    return compose(
        {
            "errcode": b"0",
            "message": b'"ok"',
            "data": b"[%b]" % b",".join(records[start : start + page_size]),
            "pager": to_json(pager),
        }
    )
