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


OVERLAPS = """() => {
  const parts = [...document.querySelectorAll('.top > *, .tools > *')].filter((e) => e.offsetWidth);
  const boxes = parts.map((e) => [e, e.getBoundingClientRect()]);
  const beside = (a, b) => a.right < b.left + 1 || a.bottom < b.top + 1;
  const clash = (a, b) => !beside(a, b) && !beside(b, a);
  const pairs = boxes.flatMap(([e, a], i) => boxes.slice(i + 1).map(([f, b]) => [e, a, f, b]));
  const over = pairs.filter(([e, a, f, b]) => !e.contains(f) && !f.contains(e) && clash(a, b));
  const out = boxes.filter(([, a]) => a.left < -1 || a.right > innerWidth + 1);
  return over.length + out.length + (document.documentElement.scrollWidth > innerWidth ? 1 : 0);
}"""


@rule
async def test_a_person_adds_a_fault_sees_it_strike_and_removes_another() -> None:
    async with opened() as (sim, page):
        demo_world.fill(sim.world)
        await page.reload()
        await page.click("#faults-button")
        await page.select_option(".drawer select[name=kind]", "drop")
        await page.select_option(".drawer select[name=target]", demo_world.EAST)
        await page.click(".drawer button[type=submit]")
        await page.select_option(".drawer select[name=kind]", "errcode")
        await page.fill(".drawer input[name=errcode]", "113")
        await page.fill(".drawer input[name=times]", "")
        await page.click(".drawer button[type=submit]")
        await playwright_api.expect(page.locator(".standing li")).to_have_count(2)
        sim.say(demo_world.EAST, demo_world.ASSISTANT, "dropped")
        await playwright_api.expect(page.locator(".standing li")).to_have_count(1)
        await playwright_api.expect(page.locator(".strikes li")).to_have_count(1)
        (standing,) = sim.faults.standing()
        assert (standing.fault.kind, standing.fault.errcode, standing.fault.times) == ("errcode", 113, None)
        await page.click(".standing button")
        await playwright_api.expect(page.locator(".standing li")).to_have_count(0)
        assert sim.faults.standing() == []


@rule
async def test_every_type_of_message_is_posted_from_the_menu() -> None:
    async with opened() as (sim, page):
        demo_world.fill(sim.world)
        await page.reload()
        room = page.locator(f'.room[data-place="{demo_world.EAST}"]')
        for number in range(16):
            await room.locator("summary").click()
            await room.locator(".menu button").nth(number).click()
            await page.click("dialog button[type=submit]")
            await playwright_api.expect(page.locator("dialog")).to_have_count(0)
        assert len({message.msg_type for message in sim.ledger.messages}) == 16


@rule
async def test_nothing_overlaps_or_sticks_out() -> None:
    async with opened() as (sim, page):
        for language in ("zh", "en"):
            demo_world.fill(sim.world, language)
            await page.goto(f"http://127.0.0.1:{sim.settings.port}/?lang={language}", wait_until="commit")
            await page.locator(".room").first.wait_for()
            for width, height in ((1280, 720), (390, 844)):
                await page.set_viewport_size({"width": width, "height": height})
                assert await page.evaluate(OVERLAPS) == 0
