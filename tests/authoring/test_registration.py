"""Every hook is held to its arguments when the file loads: what, where, what to do (contract 5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay import Plugin
from relay.authoring.rhythm import Rhythm
from relay.errors import PluginError
from relay.routing.loader import Found, load

HEAD = "from relay import *\nplugin = Plugin('p')\n\n"


def written(folder: Path, source: str) -> Found:
    path = folder / "p.py"
    path.write_text(HEAD + source, "utf-8")
    return Found("p", path, "folder")


def on(hook: str, arguments: str = "message, ctx") -> str:
    return f"@plugin.{hook}\nasync def h({arguments}):\n    ...\n"


MISTAKES = [
    (on("on_message()", "message"), 4, "h(message) must take (message, ctx)", "write `def h(message, ctx):`"),
    (on("on_message()", "ctx, message"), 4, "the other way round", "write `def h(message, ctx):`"),
    (on("on_event()", "event"), 4, "must take (event, ctx)", "write `def h(event, ctx):`"),
    (on("on_delivery()", "delivery, ctx, more"), 4, "must take (delivery, ctx)", "write"),
    (on("every('10m')", "message, ctx"), 4, "h(message, ctx) must take (ctx)", "write `def h(ctx):`"),
    (on("on_start", ""), 4, "h() must take (ctx)", "write `def h(ctx):`"),
    (on("on_stop()", "a, b"), 4, "h(a, b) must take (ctx)", "write"),
    (on("on_message(types=['txt'])"), 4, "types: there is no type of message txt", "did you mean `text`?"),
    (on("on_message(types=['image'])"), 4, "there is no type of message image", "one of: text, "),
    (on("on_message(types=[1])"), 4, "types: expected a text or a list of texts, found int", ""),
    (on("on_message(types=b'text')"), 4, "found bytes", ""),
    (on("on_message(type=['text'])"), 4, "on_message has no filter type", "did you mean `types`?"),
    (on("on_message(chat_type='group')"), 4, "there is no kind of chat group", "one of: room, private, any"),
    (on("on_message(contains=['价格', ' '])"), 4, "contains: must not be empty", "every text"),
    (on("on_message(regex='(')"), 4, "regex: missing ) at character 1", ""),
    (on("on_message(regex='(?=x)')"), 4, "regex: ", "no lookaround"),
    (on("on_message(regex='')"), 4, "regex: must not be empty", "every text"),
    (on("on_message(include_own=1)"), 4, "include_own: expected True or False, found int", ""),
    (on("on_message(['text'])"), 4, "what is decorated must be a function, not list", ""),
    (on("on_event('chatMsg')", "event, ctx"), 4, "messages do not come by on_event", "on_message()"),
    (on("on_event('contact')", "event, ctx"), 4, "no notification contact", "did you mean `contacts`?"),
    (on("on_event(7)", "event, ctx"), 4, "expected a text or a list of texts, found int", ""),
    (
        on("on_delivery(states=['lost'])", "delivery, ctx"),
        4,
        "there is no state of a delivery lost",
        "one of",
    ),
    (on("on_delivery(states='fail')", "delivery, ctx"), 4, "no state", "did you mean `failed`?"),
    (on("every('10 minutes')", "ctx"), 4, "every: is not a duration", 'write "500ms"'),
    (on("every(None)", "ctx"), 4, "every is no length of time, but NoneType", 'write "10m"'),
    (on("every('10ms')", "ctx"), 4, "cannot tick more often than every 1s", ""),
    (on("every(float('nan'))", "ctx"), 4, "every is no length of time", ""),
    (on("every('1d', at='9')", "ctx"), 4, "at is not a time of day", 'write "09:00"'),
    (on("every('1d', at='24:00')", "ctx"), 4, "at is not a time of day", ""),
    (on("every('10m', at='09:00')", "ctx"), 4, "at goes only with whole days", "every("),
    (on("every('1h')", "ctx") + on("every('2h')", "ctx"), 7, "another ticking handler is called h", "name"),
    (on("every", "ctx"), 4, "every(…) on this line decorates no function", "put @plugin.every(…)"),
    ("plugin.on_message(types=['text'])\n", 4, "on_message(…) on this line decorates no function", "put"),
    ("@plugin.on_message()\ndef h(message, ctx):\n    yield 1\n", 4, "h has a yield in it", "a list"),
    ("plugin.on_message()(7)\n", 4, "must be a function, not int", ""),
]


@pytest.mark.parametrize(("source", "line", "message", "hint"), MISTAKES)
def test_a_wrong_registration_is_refused_with_file_and_line(
    tmp_path: Path, source: str, line: int, message: str, hint: str
) -> None:
    found = written(tmp_path, source)
    with pytest.raises(PluginError) as caught:
        load(found)
    assert message in caught.value.message
    assert hint in caught.value.message
    assert (caught.value.file, caught.value.line) == (str(found.path), line)


@pytest.mark.parametrize(("source", "line", "message", "hint"), MISTAKES)
def test_it_is_told_in_chinese_too(tmp_path: Path, source: str, line: int, message: str, hint: str) -> None:
    with pytest.raises(PluginError) as caught:
        load(written(tmp_path, source))
    assert any("一" <= sign <= "鿿" for sign in caught.value.told("zh"))


def test_every_hook_is_registered_as_it_is_written(tmp_path: Path) -> None:
    source = (
        on("on_message")
        + on("on_message(regex=r'(?P<no>\\d+)')")
        + on("on_event", "e, c")
        + on("on_start", "c")
    )
    source += on("on_event('contacts', 'something-new')", "e, c") + on("on_delivery(states='failed')", "d, c")
    source += on("on_stop", "c") + "@plugin.every('1d', at='09:30')\ndef tick(ctx): ...\n"
    plugin = load(written(tmp_path, source))
    bound = plugin.bound(None, lambda name: (name,))
    assert [handler.is_async for handler, _ in bound.messages] == [True, True]
    assert [each.types for each in bound.events] == [frozenset(), {"contacts", "something-new"}]
    assert [states for _, states in bound.deliveries] == [{"failed"}]
    assert [(handler.is_async, each) for handler, each in bound.ticks] == [(False, Rhythm(86_400_000, 570))]
    assert len(plugin.start_hooks) == len(plugin.stop_hooks) == 1


def test_what_settings_decide_is_checked_with_the_settings_at_hand() -> None:
    plugin = Plugin("p")
    plugin.on_message(types=lambda settings: settings)(lambda message, ctx: None)
    plugin.every(lambda settings: "1h", at=lambda settings: None)(lambda ctx: None)
    assert plugin.bound("text", lambda name: (name,)).messages[0][1].types == {"text"}
    with pytest.raises(PluginError, match="no type of message txt"):
        plugin.bound(["txt"], lambda name: (name,))


async def later(message: object, ctx: object) -> None: ...


def test_a_function_of_the_file_is_found_again_by_its_name() -> None:
    plugin = Plugin("p")
    assert plugin.name_of(later) == "later"
    assert plugin.named("later") is later
    assert plugin.named("gone") is None


def test_a_function_that_could_not_be_found_again_is_refused() -> None:
    plugin = Plugin("p")
    for strange in (lambda message, ctx: None, load, print, 7):
        with pytest.raises(ValueError, match="then must be a function at the top of the plugin's own file"):
            plugin.name_of(strange)  # type: ignore[arg-type] # that is what is tried


def alone(message: object) -> None: ...


def test_a_function_is_held_to_its_arguments_before_it_is_waited_for() -> None:
    with pytest.raises(ValueError, match=r"must take \(conversation, ctx\)"):
        Plugin("p").name_of(alone, "on_timeout")


def test_a_function_of_a_module_of_the_package_is_found_again_too(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "__init__.py").write_text(HEAD + "from .inside import later\n")
    (tmp_path / "p" / "inside.py").write_text("def later(message, ctx): ...\n")
    plugin = load(Found("p", tmp_path / "p" / "__init__.py", "folder"))
    function = plugin.named("later")
    assert function is not None
    assert plugin.name_of(function) == "inside:later"
    assert plugin.named("inside:later") is function
