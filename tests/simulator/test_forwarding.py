"""forwardMsg: judged by the bytes that the account received."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator.bench import ANN, BOT, EAST, SECOND, WEST, Bench, as_forward, rule

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


async def received(bench: Bench, content: bytes, msg_type: str = "text") -> bytes:
    """Let Ann post, and give the message of a forwardMsg call that repeats it exactly."""
    message = bench.sim.post(EAST, ANN, msg_type, content)
    await bench.sim.settle()
    return b'{"msg_type":"%b","content":%b,"msg_time":%d}' % (msg_type.encode(), content, message.time)


@rule
async def test_a_forward_appears_with_the_same_content_and_knows_its_source() -> None:
    bench = Bench()
    message = await received(bench, b'{"title": "x", "n": 1.10, "n": 2}', "merge")
    assert await bench.forward(message, WEST) == {"errcode": 0}
    (effect,) = bench.sim.ledger.effects(target=WEST, kind="forward")
    assert effect.content == b'{"title": "x", "n": 1.10, "n": 2}'
    assert effect.cause is not None
    assert effect.cause.source == 0
    await bench.sim.settle()


@rule
async def test_every_target_gives_one_echo_without_ids_of_the_api() -> None:
    bench = Bench()
    message = await received(bench, b'{"items":[]}')
    await bench.forward(message, WEST, ANN)
    await bench.sim.settle()
    echoes = bench.receiver.entries(BOT)[1:]
    assert [echo["chat_wxid"] for echo in echoes] == [WEST, ANN]
    assert not any("api_send_svrid" in echo or "api_send_id" in echo for echo in echoes)


@pytest.mark.parametrize(
    "spoiled",
    [
        (b"1.10", b"1.1"),
        (b'"b":2', b'"b": 2'),
        (b'{"a":1.10,"b":2}', b'{"b":2,"a":1.10}'),
        (b'"text"', b'"link"'),
        (b"1700000000000", b"1700000000001"),
        (b"1700000000000", b'"1700000000000"'),
        (b"1700000000000", b"1700000000000.0"),
    ],
)
@rule
async def test_anything_but_what_was_received_is_refused(spoiled: tuple[bytes, bytes]) -> None:
    bench = Bench()
    message = await received(bench, b'{"a":1.10,"b":2}')
    assert message.replace(*spoiled) != message
    assert (await bench.forward(message.replace(*spoiled), WEST))["errcode"] == 406
    assert bench.sim.ledger.effects() == []


@rule
async def test_another_account_than_the_receiving_one_may_not_forward() -> None:
    bench = Bench()
    message = await received(bench, b"{}")
    assert (await bench.forward(message, WEST, account=SECOND))["errcode"] == 406


@pytest.mark.parametrize("targets", [(), ("R:404",), (WEST, "R:404")])
@rule
async def test_one_unknown_target_refuses_the_whole_call(targets: tuple[str, ...]) -> None:
    bench = Bench()
    message = await received(bench, b"{}")
    assert (await bench.forward(message, *targets))["errcode"] == 406
    assert bench.sim.ledger.effects() == []


@rule
async def test_several_messages_go_out_a_second_apart() -> None:
    bench = Bench()
    message = await received(bench, b"{}")
    await bench.forward(message + b"," + message, WEST)
    assert len(bench.sim.ledger.effects()) == 1
    await bench.clock.advance(1)
    await bench.sim.settle()
    first, second = bench.sim.ledger.effects()
    assert second.time - first.time == 1000


@rule
async def test_what_staff_typed_on_our_own_phone_can_be_forwarded() -> None:
    bench = Bench()
    bench.sim.say(EAST, BOT, "from the phone")
    await bench.sim.settle()
    assert await bench.forward(as_forward(bench.receiver.entries()[0]), WEST) == {"errcode": 0}
    await bench.sim.settle()


@rule
async def test_deep_broken_and_endless_contents_are_pushed_and_forwarded_as_they_are() -> None:
    bench = Bench()
    odd = [
        b"[" * 5000 + b"]" * 5000,
        b'{"x":NaN,"y":"\\ud800"}',
        b'{"n":' + b"9" * 5000 + b"}",
        b'"\xff\xfe"',
    ]
    for content in odd:
        message = await received(bench, content)
        assert content in bench.receiver.bodies[-1]
        assert await bench.forward(message, WEST) == {"errcode": 0}
        await bench.sim.settle()
    assert [effect.content for effect in bench.sim.ledger.effects()] == odd


@settings(max_examples=60, deadline=None)
@given(JSON, st.sampled_from([None, 1]), st.booleans())
def test_whatever_was_pushed_can_be_forwarded_verbatim(
    value: object, indent: int | None, ascii_only: bool
) -> None:
    content = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")

    @rule
    async def forward() -> None:
        bench = Bench()
        message = await received(bench, content)
        assert await bench.forward(message, WEST) == {"errcode": 0}
        await bench.sim.settle()
        assert bench.sim.ledger.effects()[0].content == content

    forward()
