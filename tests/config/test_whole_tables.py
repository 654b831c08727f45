"""A validator that looks at a whole table says which of its keys is wrong, and tells everything at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import pytest
from pydantic import BaseModel, model_validator

from relay.config import validate_settings
from relay.config.problems import UnfitError, refuse
from relay.errors import ConfigurationError


class Rule(BaseModel):
    low: int = 0
    high: int = 0
    steps: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[UnfitError]:
        if self.high < self.low:
            yield UnfitError("is below `low`", "turn them round", at=("high",))
        for index, step in enumerate(self.steps):
            if step == 0:
                yield UnfitError("leads nowhere", at=("steps", index))


class Settings(BaseModel):
    rules: tuple[Rule, ...] = ()


def told(*rules: dict[str, object]) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        validate_settings(Settings, {"rules": list(rules)}, "plugins.p")
    return str(caught.value).split("\n")


def test_a_problem_of_a_whole_table_is_told_at_the_key_it_names() -> None:
    assert told({"low": 2, "high": 1}) == [
        "plugins.p.rules[0].high = 1: is below `low` (turn them round; default: 0)"
    ]


def test_all_problems_of_a_table_are_told_at_once() -> None:
    lines = told({}, {"low": 2, "high": 1, "steps": [1, 0]})
    assert [line.split(" ")[0] for line in lines] == [
        "plugins.p.rules[1].high",
        "plugins.p.rules[1].steps[1]",
    ]


def test_a_table_without_problems_passes() -> None:
    assert validate_settings(Settings, {"rules": [{"steps": [1]}]}, "plugins.p")
