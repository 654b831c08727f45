"""relay's part of pytest: the fixture `bench` and the marker `relay`.

It is no module of the package, so that pytest, run for whatever else, does not load the package.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from relay.testing import Bench

MARKER = (
    "relay(plugin, settings=…, chats=…, bot_toml=…, now=…): the plugin that `bench` holds, "
    "if it is not the one that the test file is named for, and what stands in its bot.toml"
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """The plugin that the test file is named for, in a bot of its own: `bench.say("hi") == [Reply("hello")]`.

    `test_greeter.py` is about `greeter.py` beside it. `@pytest.mark.relay(settings={…}, chats={…})` says with
    which settings and [chats].
    """
    from relay.testing.bench import Bench
    from relay.testing.beside import plugin_of

    given: dict[str, object] = {}
    for mark in reversed(list(request.node.iter_markers("relay"))):
        given.update(mark.kwargs, **({"plugin": mark.args[0]} if mark.args else {}))
    plugin = given.pop("plugin", None) or plugin_of(request.path)
    with Bench(plugin, beside=request.path, **given) as made:  # type: ignore[arg-type] # what the marker says
        yield made
