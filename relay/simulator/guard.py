"""Who may use the page: this machine's browser, from the page itself, and no other site."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.requests import Request


class Guard:
    """Refuses foreign Host headers (DNS rebinding needs a name) and what another site sends."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._hosts = frozenset({"localhost", *(host.lower() for host in hosts)})

    def objection(self, request: Request) -> str | None:
        """Say why a request must not be served, or None."""
        if not self._is_ours(request.headers.get("host", "")):
            return "host"
        if request.method not in ("GET", "HEAD") and self._is_cross_site(request):
            return "origin"
        return None

    def _is_ours(self, host: str) -> bool:
        name = _host_name(host)
        return name in self._hosts or _is_address(name)

    @staticmethod
    def _is_cross_site(request: Request) -> bool:
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return True
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return True  # what a form can send without asking first
        origin = request.headers.get("origin")
        return origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
