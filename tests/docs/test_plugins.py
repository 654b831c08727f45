"""The page about plugins: every plugin in it loads, every test passes, every table says what there is."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import get_args

import pytest
from benched import run_tests
from docs.readme import PLUGINS, Readme, names

import relay
from relay.authoring.choice import Choice
from relay.authoring.decisions import MOST, Decision
from relay.authoring.plugin import Context, Plugin
from relay.authoring.state import State
from relay.authoring.templates import BUILDERS
from relay.cli.scaffold import template
from relay.language import Language
from relay.routing.loader import RESERVED
from relay.routing.outbox import MOST_DELIVERIES
from relay.testing import Bench

each = pytest.mark.parametrize("page", PLUGINS, ids=lambda page: page.name)


@dataclasses.dataclass(slots=True)
class Case:
    """A plugin of the page, and the tests that stand beside it."""

    page: Readme
    name: str
    plugin: str
    tests: str = ""

    def __str__(self) -> str:
        return f"{self.name}-{self.page.name}"


def cases(page: Readme) -> list[Case]:
    """Tests stand below their plugin; where that has some already, they come first, and it follows."""
    found, first = list[Case](), ""
    for code in page.written_in("python"):
        made = re.search(r'^plugin = Plugin\("(\w+)"', code, re.MULTILINE)
        if made:
            found.append(Case(page, made[1], code, first))
            first = ""
        elif "Bot(" in code:
            found.append(Case(page, "the_whole_bot", "", code))
        elif found[-1].tests:
            first = code
        else:
            found[-1].tests = code
    assert not first, "tests of no plugin"
    return found


@pytest.mark.parametrize("case", [case for page in PLUGINS for case in cases(page)], ids=str)
def test_every_plugin_of_the_page_passes_the_tests_beside_it(tmp_path: Path, case: Case) -> None:
    plugin = tmp_path / f"{case.name}.py"
    plugin.write_text(case.plugin, "utf-8")
    assert run_tests(case.tests, plugin)


@each
def test_a_plugin_says_what_its_file_is_called(page: Readme) -> None:
    for case in cases(page):
        told = re.match(r'"""plugins/(\w+)\.py[：:]', case.plugin)
        assert told is None or told[1] == case.name


@each
def test_the_new_plugin_of_the_page_is_what_the_command_writes(page: Readme) -> None:
    language: Language = "en" if page.english is None else "zh"
    first = cases(page)[0]
    assert first.plugin == template("reply", "greeter", language)
    assert first.tests == template("test_reply", "greeter", language)


@each
def test_every_hook_and_filter_is_listed(page: Readme) -> None:
    hooks, filters = page.tables("Hooks")
    offered = {name for name in vars(Plugin) if name.startswith("on_") or name == "every"}
    assert {names(row[0])[0] for row in hooks} == offered
    listed = {name for row in filters for name in names(row[0])}
    assert listed == {field.name for field in dataclasses.fields(Choice)}


@each
def test_every_decision_is_listed_with_its_arguments(page: Readme) -> None:
    listed = {call.partition("(")[0]: call.partition("(")[2] for call in first_names(page, "Decisions", 0)}
    for kind in get_args(Decision):
        parameters = inspect.signature(kind).parameters
        told = re.findall(r"\w+", listed.pop(kind.__name__))
        assert sorted(told) == sorted(parameters), kind.__name__
    assert listed == {}


@each
def test_every_message_that_can_be_sent_is_listed_with_its_fields(page: Readme) -> None:
    for row in page.tables("Decisions")[1]:
        fields = inspect.signature(BUILDERS[names(row[0])[0]]).parameters
        assert names(row[1]) == list(fields)
    assert [names(row[0])[0] for row in page.tables("Decisions")[1]] == list(BUILDERS)


@each
def test_every_attribute_that_a_handler_is_given_is_listed(page: Readme) -> None:
    values, context = page.tables("What a handler is given")
    for row in values:
        (name,) = names(row[0])
        assert sorted(names(row[1])) == sorted(public(getattr(relay, name))), name
    assert sorted(name for row in context for name in names(row[0])) == sorted(public(Context))


@each
def test_every_call_of_state_is_listed_with_its_arguments(page: Readme) -> None:
    listed = dict(call.rstrip(")").split("(") for call in first_names(page, "State", 0))
    assert sorted(listed) == sorted(public(State))
    for name, arguments in listed.items():
        assert arguments.split(", ") == list(inspect.signature(getattr(State, name)).parameters)[1:]


@each
def test_all_that_a_bench_does_is_listed_with_its_arguments(page: Readme) -> None:
    (table,) = page.tables("Testing")
    listed = {name.partition("(")[0].partition(".")[0]: name for row in table for name in names(row[0])}
    assert sorted(listed) == sorted(["clock", "name", *public(Bench)])
    for name in ("say", "event", "delivery", "restart"):
        told = re.findall(r"\w+", listed[name].partition("(")[2])
        assert told == list(inspect.signature(getattr(Bench, name)).parameters)[1:]


@each
def test_reserved_names_and_limits_are_those_of_the_code(page: Readme) -> None:
    words = {word for row in page.tables("Files and names")[0] for word in names(row[0])}
    assert words >= RESERVED
    limits = " ".join(row[1] for row in page.tables("One transaction, and what is durable")[0])
    assert f"{MOST:,}" in limits
    assert f"{MOST_DELIVERIES:,}" in limits


def first_names(page: Readme, heading: str, at: int) -> list[str]:
    """What stands in backticks in the first cells of a table."""
    return [name for row in page.tables(heading)[at] for name in names(row[0])]


def public(kind: type) -> list[str]:
    """What somebody may use of a value."""
    fields = [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
    return [name for name in {*fields, *vars(kind)} if not name.startswith("_")]
