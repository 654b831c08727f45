"""The page in Chromium."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from simulator.bench import rule

from relay.simulator import demo_world
from relay.simulator.app import Simulator, SimulatorServer, create_simulator
from relay.simulator.settings import SimulatorSettings

if TYPE_CHECKING:
    from playwright.async_api import Page

playwright_api = pytest.importorskip("playwright.async_api", reason="playwright is not installed")

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no {CHROMIUM}"),
]
ARGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
COMPOSING = "new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true, cancelable: true})"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Simulator, Page]]:
    port = free_port()
    sim = create_simulator(SimulatorSettings(port=port))
    server = SimulatorServer(sim, "127.0.0.1", port)
    serving = asyncio.create_task(server.serve())
    async with playwright_api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGS))
        page = await browser.new_page()
        page.on("pageerror", lambda error: pytest.fail(f"the page raised {error}"))
        await page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
        yield sim, page
        server.should_exit = True
        await serving
        await browser.close()


@rule
async def test_a_person_loads_the_example_types_and_sees_it_appear() -> None:
    async with opened() as (sim, page):
        await page.click("#example")
        room = page.locator(f'.room[data-place="{demo_world.EAST}"]')
        box = room.locator("textarea")
        await box.fill("你好")
        await box.evaluate(f"box => box.dispatchEvent({COMPOSING})")
        await box.press("Shift+Enter")
        await box.type("第二行")
        assert sim.ledger.messages == []
        await box.press("Enter")
        await playwright_api.expect(room.locator(".bubble")).to_have_text("你好\n第二行")
        sim.world.add_contact("7881300000000099", HOSTILE)
        sim.world.join(demo_world.SOUTH, "7881300000000099")
        sim.say(demo_world.SOUTH, "7881300000000099", HOSTILE)
        south = page.locator(f'.room[data-place="{demo_world.SOUTH}"]')
        await playwright_api.expect(south.locator(".bubble")).to_have_text(HOSTILE)
        assert await page.title() == "云真机模拟器"
        assert len(sim.ledger.in_chat(demo_world.EAST)) == 1
