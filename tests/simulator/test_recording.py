"""Sessions recorded and replayed: the same again, and nothing at all from a bad file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from simulator.bench import ANN, BEN, BOT, EAST, WEST, Bench, rule

from relay.simulator.app import Simulator, create_simulator
from relay.simulator.clockwork import ManualClock
from relay.simulator.fault import Fault, Kind
from relay.simulator.recording import Callback, RecordingError, read
from relay.simulator.verbatim import bytes_of

HEAD = {"what": "session", "at": 0, "version": 1}
ANN_IS_THERE = {"what": "contact", "at": 0, "wxid": ANN, "nickname": "Ann"}
POST = {"what": "post", "at": 0, "chat": EAST, "sender": ANN, "msg_type": "text", "content": "{}"}
FAULT = {"what": "fault", "at": 0, "number": 1, "fault": {"kind": "close"}}


def told(sim: Simulator) -> list[tuple[Any, ...]]:
    """All that was said, with the time since the first of it."""
    messages = sim.ledger.messages
    return [(m.place, m.sender, m.msg_type, m.content, m.time - messages[0].time) for m in messages]


async def session(bench: Bench) -> bytes:
    """A recorded session with a bit of everything, and a piece of time."""
    bench.sim.record()
    bench.sim.say(EAST, ANN, "hi")
    await bench.clock.advance(5)
    bench.sim.post(EAST, BEN, "picture", b'{"url":"\\ud800\xff", "n": 1.10}')
    bench.sim.world.join(WEST, BEN)
    bench.sim.add_contact("7881300000000077", "Cleo")
    bench.sim.add_account("1688850000000077", "Third")
    bench.sim.add_room("R:77", "North", [BOT, "7881300000000077"])
    bench.sim.fail_next(BOT)
    bench.sim.reject(ANN)
    await bench.clock.advance(2)
    removed = bench.sim.faults.add(Fault(Kind.DROP, times=None))
    bench.sim.say(WEST, BEN, "not pushed")
    bench.sim.faults.remove(removed.number)
    bench.sim.faults.add(Fault(Kind.CLOSE, target=EAST))
    await bench.sim.settle()
    bench.sim.recorder.stop()
    return bench.sim.recorder.content()


def recorded(*lines: object) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@pytest.mark.parametrize(("speed", "milliseconds"), [(1, 7000), (10, 700)])
@rule
async def test_a_replay_does_it_all_again_at_its_pace(speed: float, milliseconds: int) -> None:
    bench, clock = Bench(), ManualClock()
    again = create_simulator(clock=clock)
    data, begun = await session(bench), clock.now()
    await clock.drive(again.replay(data, speed))
    assert [entry[:4] for entry in told(again)] == [entry[:4] for entry in told(bench.sim)]
    assert told(again)[-1][4] == clock.now() - begun == milliseconds
    assert again.world.rooms.keys() == bench.sim.world.rooms.keys()
    assert again.world.rooms[WEST].members == bench.sim.world.rooms[WEST].members
    assert [s.fault for s in again.faults.standing()] == [Fault(Kind.CLOSE, target=EAST)]
    assert (again._platform._rejected, len(again._platform._failing)) == (
        {ANN: "refused by the recipient"},
        1,
    )
    await again.close()


@rule
async def test_a_recording_holds_the_callbacks_and_no_secret() -> None:
    bench = Bench()
    bench.sim.callback_url = "http://127.0.0.1/callback/a-path-nobody-guesses"
    data = await session(bench)
    callbacks = [step for step in read(data) if isinstance(step, Callback)]
    assert [bytes_of(step.body) for step in callbacks] == [p.plaintext for p in bench.sim.ledger.pushes]
    for secret in (b"nobody-guesses", b"sim-secret", b"0123456789abcdefghijklmnopqrstuv"):
        assert secret not in data


@rule
async def test_a_file_is_written_line_by_line(tmp_path: Path) -> None:
    bench = Bench()
    bench.sim.record(tmp_path / "session.jsonl")
    bench.sim.say(EAST, ANN, "hi")
    assert b"hi" in (tmp_path / "session.jsonl").read_bytes()
    await bench.sim.settle()
    await bench.sim.close()
    assert (tmp_path / "session.jsonl").read_bytes() == bench.sim.recorder.content()
    clock = ManualClock()
    again = create_simulator(clock=clock)
    await clock.drive(again.replay(tmp_path / "session.jsonl"))
    assert told(again) == told(bench.sim)
    await again.close()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\xff",
        b"[" * 100_000,
        recorded([]),
        recorded(POST),
        recorded({**HEAD, "version": 2}),
        recorded(HEAD, {**POST, "chat": "R:404"}),
        recorded(HEAD, {**POST, "content": "no JSON"}),
        recorded(HEAD, {**POST, "content": {}}),
        recorded(HEAD, {**POST, "sender": ""}),
        recorded(HEAD, {**POST, "at": -1}),
        recorded(HEAD, {**POST, "at": 10**12}),
        recorded(HEAD, {**POST, "unheard_of": 1}),
        recorded(HEAD, {**POST, "at": 5}, POST),
        recorded(HEAD, {"what": "shell", "at": 0}),
        recorded(HEAD, {**ANN_IS_THERE, "wxid": EAST}),
        recorded(HEAD, {**ANN_IS_THERE, "nickname": "x" * 201}),
        recorded(HEAD, {"what": "room", "at": 0, "wxid": "R:9", "name": "x", "members": ["nobody"]}),
        recorded(HEAD, {**FAULT, "fault": {"kind": "nonsense"}}),
        recorded(HEAD, {"what": "fault_removed", "at": 0, "number": 3}),
        recorded(HEAD, *({**FAULT, "number": number} for number in range(201))),
        recorded(HEAD) + b"\n" * (9 * 1024 * 1024),
        recorded(HEAD) * 50_001,
    ],
    ids=lambda data: str(data[:30]),
)
@rule
async def test_a_bad_file_is_refused_with_a_sentence_and_changes_nothing(data: bytes) -> None:
    bench = Bench()
    before = bench.sim.world.everything()
    with pytest.raises(RecordingError, match=r"\w"):
        bench.sim.player.start(data)
    assert bench.sim.world.everything() == before
    assert (bench.sim.ledger.messages, bench.sim.faults.standing()) == ([], [])


@rule
async def test_what_was_good_before_the_bad_line_is_not_done_either() -> None:
    bench = Bench()
    data = recorded(HEAD, {**ANN_IS_THERE, "nickname": "changed"}, POST, {**POST, "chat": "R:404"})
    with pytest.raises(RecordingError, match="step 4"):
        bench.sim.replay(data)
    assert bench.sim.world.name(ANN) == "Ann"
    assert bench.sim.ledger.messages == []


@pytest.mark.parametrize("speed", [0, -1, 1001, float("nan"), float("inf")])
@rule
async def test_a_speed_must_be_one(speed: float) -> None:
    with pytest.raises(RecordingError, match="speed"):
        Bench().sim.player.start(recorded(HEAD), speed)


@rule
async def test_one_recording_is_played_at_a_time_and_can_be_stopped() -> None:
    bench = Bench()
    playing = bench.sim.player.start(recorded(HEAD, {**POST, "at": 1000}))
    with pytest.raises(RecordingError, match="another"):
        bench.sim.player.start(recorded(HEAD))
    bench.sim.player.stop()
    await bench.clock.advance(2)
    assert (playing.cancelled(), bench.sim.player.is_running, bench.sim.ledger.messages) == (True, False, [])


@rule
async def test_a_world_that_changed_meanwhile_ends_the_replay_with_the_reason() -> None:
    bench = Bench()
    playing = bench.sim.player.start(recorded(HEAD, {**POST, "at": 1000}))
    bench.sim.world.leave(EAST, ANN)
    await bench.clock.advance(1)
    assert playing.done()
    assert ANN in bench.sim.player.error


def test_an_empty_line_is_no_mistake() -> None:
    assert len(read(recorded(HEAD) + b"\n" + recorded(POST))) == 2
