"""The receiver's journal: what was appended is there, whole, in order and once, wherever a process ended."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.store import journal as journals
from relay.store.journal import HEAD, Care, Journal, Mark, left_in

BODIES = st.lists(st.binary(max_size=300), max_size=12)


def read_all(journal: Journal) -> list[bytes]:
    """Everything that is in it, each record taken as put into the database."""
    bodies: list[bytes] = []
    while not journal.ended:
        for record in journal.read():
            bodies.append(record.body)
            journal.passed(record)
    return bodies


def adopt(journal: Journal, mark: Mark | None = None) -> Journal:
    """What the next process finds, after this one was killed."""
    journal.close()
    left = Journal.adopt(journal.path)
    assert left is not None
    left.go_on(mark or Mark(journal.name))
    return left


def append(journal: Journal, *bodies: bytes) -> None:
    journal.append([(body, 7) for body in bodies])


def test_what_was_appended_is_read_in_order_with_when_it_came(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j", "o")
    journal.append([(b"a", 1), (b"", 2)])
    journal.append([(b"c", 3)])
    assert [(each.body, each.received_at) for each in journal.read()] == [(b"a", 1), (b"", 2), (b"c", 3)]


def test_what_is_not_passed_comes_again(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j", "o")
    append(journal, b"a", b"b")
    first, _ = journal.read()
    journal.passed(first)
    assert [each.body for each in journal.read()] == [b"b"]


def test_a_record_larger_than_what_is_read_at_once_is_read_whole(tmp_path: Path) -> None:
    large = os.urandom(journals.AT_ONCE * 3)
    journal = Journal.create(tmp_path / "j", "o")
    append(journal, b"a", large, b"b")
    assert read_all(journal) == [b"a", large, b"b"]
    assert read_all(adopt(journal)) == [b"a", large, b"b"]


def test_only_its_owner_can_open_it(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j", "o")
    assert [path.stat().st_mode & 0o777 for path in (journal.path.parent, journal.path)] == [0o700, 0o600]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j", "o")
    journal.close()
    link = journal.path.with_name("a.journal")
    link.symlink_to(journal.path)
    assert Journal.adopt(link) is None


def test_nobody_adopts_the_journal_of_a_process_that_lives(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j", "o")
    assert Journal.adopt(journal.path) is None
    journal.close()
    assert Journal.adopt(journal.path) is not None


def test_room_is_set_aside_before_it_is_needed(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j", "o")
    assert journal.path.stat().st_blocks * 512 >= journals.ROOM


@pytest.mark.parametrize("refuse", ["write", "sync"])
def test_what_the_disk_refused_does_not_count_and_may_be_tried_again(
    tmp_path: Path, refuse: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NoReturn:
        raise OSError(5, "the disk")

    journal = Journal.create(tmp_path / "j", "o")
    append(journal, b"a")
    with monkeypatch.context() as patch:
        if refuse == "write":
            patch.setattr(os, "pwrite", fail)
        else:
            patch.setattr(journal, "_care", Care(fail))
        with pytest.raises(OSError, match="the disk"):
            append(journal, b"b")
    assert [each.body for each in journal.read()] == [b"a"]
    append(journal, b"b")
    assert read_all(journal) == [b"a", b"b"]


def test_what_has_changed_on_the_disk_is_told_and_can_be_given_up(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j", "o")
    append(journal, b"abc")
    with journal.path.open("r+b") as file:
        file.seek(HEAD)
        file.write(b"x")
    with pytest.raises(OSError, match="has changed behind 0"):
        journal.read()
    assert (journal.skip(), journal.ended) == (HEAD + 3, True)
    append(journal, b"later")
    assert read_all(journal) == [b"later"]


def test_one_that_was_read_to_its_end_begins_anew_once_it_is_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "ANEW", 100)
    journal = Journal.create(tmp_path / "j", "o")
    append(journal, b"x" * 100)
    journal.begin_anew()
    assert journal.read()[0].end == HEAD + 100  # it was not read yet
    read_all(journal)
    journal.begin_anew()
    append(journal, b"y")
    (record,) = journal.read()
    assert (record.body, journal.mark(record)) == (b"y", Mark(journal.name, 2, HEAD + 1))


def test_one_that_grew_gives_its_room_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "ANEW", 100)
    journal = Journal.create(tmp_path / "j", "o", Care(journals.sync, room=1000))
    append(journal, b"x" * 5000)
    read_all(journal)
    journal.begin_anew()
    assert journal.path.stat().st_size == 1000


@pytest.mark.parametrize("later", [[b"d"], [b"d", b"e"], [b"d", b"e", b"f", b"g"]])
def test_what_was_refused_does_not_come_behind_what_was_written_in_its_place(
    tmp_path: Path, later: list[bytes]
) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "the disk")

    journal = Journal.create(tmp_path / "j", "o", Care(fail))
    with pytest.raises(OSError, match="the disk"):
        append(journal, b"a", b"b", b"c")
    journal._care = journals.DISK
    for body in later:
        append(journal, body)
    assert read_all(adopt(journal)) == later


@pytest.mark.parametrize("marked", [True, False])
def test_the_last_epoch_is_found_however_many_before_it_have_left_no_mark(
    marked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such held nothing but what had come by the spool, too."""
    monkeypatch.setattr(journals, "ANEW", 100)
    journal = Journal.create(tmp_path / "j", "o")
    append(journal, b"a")
    mark = journal.mark(journal.read()[0]) if marked else None
    for _ in range(3):
        append(journal, b"known" * 40)
        journal.skip()
        journal.begin_anew()
    append(journal, b"b")
    assert read_all(adopt(journal, mark)) == [b"b"]


@settings(max_examples=60, deadline=None)
@given(batches=st.lists(BODIES, max_size=5), passed=st.integers(0, 60), cut=st.integers(0, 400))
def test_whoever_adopts_it_finds_all_that_was_synced_behind_the_mark_and_nothing_else(
    batches: list[list[bytes]], passed: int, cut: int
) -> None:
    with TemporaryDirectory() as folder:
        journal = Journal.create(Path(folder) / "j", "o")
        for batch in batches:
            append(journal, *batch)
        bodies = [body for batch in batches for body in batch]
        records = journal.read() if bodies else []
        taken = records[:passed]
        mark = journal.mark(taken[-1]) if taken else Mark(journal.name)
        _half_write(journal, b"never synced" * 40, cut)
        assert read_all(adopt(journal, mark)) == bodies[len(taken) :]


def _half_write(journal: Journal, body: bytes, size: int) -> None:
    """A record that its process was killed, or lost its power, over."""
    whole = b"".join(journal._record(body, 7))[:size]
    os.pwrite(journal._file, whole, journal._written)


@settings(max_examples=60, deadline=None)
@given(epochs=st.lists(BODIES, min_size=1, max_size=5), told=st.booleans())
def test_what_an_earlier_epoch_left_behind_the_end_does_not_come_again(
    epochs: list[list[bytes]], told: bool
) -> None:
    """`told`: the database heard of the last epoch before the process ended."""
    with TemporaryDirectory() as folder:
        journal = Journal.create(Path(folder) / "j", "o")
        journals_anew, journals.ANEW = journals.ANEW, 1
        try:
            mark = Mark(journal.name)
            for bodies in epochs[:-1]:
                append(journal, *bodies)
                while not journal.ended:
                    records = journal.read()
                    mark = journal.mark(records[-1])
                    journal.passed(records[-1])
                journal.begin_anew()
            append(journal, *epochs[-1])
            first = journal.read()[0] if told and epochs[-1] else None
            if first is not None:
                mark = journal.mark(first)
            left = adopt(journal, mark)
            assert read_all(left) == epochs[-1][first is not None :]
            left.close()
        finally:
            journals.ANEW = journals_anew


def test_all_journals_of_a_folder_are_found_oldest_first(tmp_path: Path) -> None:
    assert left_in(tmp_path / "none", "o") == []
    made = [Journal.create(tmp_path, "o") for _ in range(3)]
    for age, each in enumerate(made):
        os.utime(each.path, (0, 1000 - age))
    (tmp_path / "notes.txt").write_text("of somebody else")
    Journal.create(tmp_path, "other")
    assert left_in(tmp_path, "o") == [each.path for each in reversed(made)]


def test_a_journal_that_is_taken_away_meanwhile_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, left = (Journal.create(tmp_path, "o") for _ in range(2))
    scan = os.scandir

    @contextlib.contextmanager
    def leaving(folder: Path) -> Iterator[list[os.DirEntry[str]]]:
        with scan(folder) as entries:
            found = list(entries)
        gone.remove()
        yield found

    monkeypatch.setattr(os, "scandir", leaving)
    assert left_in(tmp_path, "o") == [left.path]


def test_the_names_of_a_new_journal_and_of_its_folder_are_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_ino))
    journal = Journal.create(tmp_path / "j", "o")
    assert synced == [each.stat().st_ino for each in (journal.path, tmp_path / "j", tmp_path)]


def test_what_was_removed_under_its_adopter_is_not_adopted(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, "o")
    journal.remove()
    journal.close()
    assert Journal.adopt(journal.path) is None


def test_nobody_adopts_what_somebody_else_has_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.create(tmp_path, "o")
    journal.close()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert Journal.adopt(journal.path) is None
