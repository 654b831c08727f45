"""Who is who at the platform: for now, which accounts are ours."""

from __future__ import annotations

import structlog

from relay.attempts import NoAnswer
from relay.client import Client
from relay.clock import Clock
from relay.store.protocol import Store
from relay.wire.answers import read_pages, read_records

log = structlog.get_logger("relay.directory")

PAGE_SIZE = 100  # the platform's most
MOST_PAGES = 100
REFRESH = 3_600_000  # ms between two listings
RETRY = 10_000  # ms after a listing that failed


class Directory:
    """Lists our accounts: at the start, then every hour, and sooner after a failure."""

    def __init__(self, client: Client, store: Store, clock: Clock) -> None:
        self._client = client
        self._store = store
        self._clock = clock
        self._next_at = 0

    def due(self) -> bool:
        """Whether it is time to list our accounts."""
        return self._clock.now() >= self._next_at

    async def refresh(self) -> None:
        """List our accounts, and say when to do so again."""
        now = self._clock.now()
        self._next_at = now + RETRY
        accounts = await self._list_accounts()
        if not accounts:  # an empty list tells us no more than none: nothing may be routed on it
            return
        await self._store.add_accounts(accounts, "listed")
        await self._store.set_meta("accounts_listed_at", str(now))
        self._next_at = now + REFRESH
        log.info("accounts_listed", count=len(accounts))

    async def _list_accounts(self) -> list[str] | None:
        """Every account of ours, or None where a page could not be read: half a list is none."""
        accounts: list[str] = []
        for page in range(1, MOST_PAGES + 1):
            query = {"online": "-1", "page": str(page), "page_size": str(PAGE_SIZE)}
            answer = await self._client.get("/wechat/list", query)
            if isinstance(answer, NoAnswer) or answer.errcode != 0:
                error = answer.error if isinstance(answer, NoAnswer) else f"errcode {answer.errcode}"
                log.warning("accounts_not_listed", error=error)
                return None
            records = read_records(answer)
            accounts += [record["wxid"] for record in records if record.get("wxid")]
            if len(records) < PAGE_SIZE and page >= read_pages(answer):
                break
        if not accounts:
            log.warning("accounts_not_listed", error="the list is empty")
        return accounts
