"""Who exists, and who is in what: accounts, contacts, rooms and their members."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias


class WorldError(ValueError):
    """The example world has no such person or room, or the person is not there."""


@dataclass(frozen=True, slots=True)
class Account:
    """One of our own accounts: a cloud phone that the platform serves."""

    wxid: str
    nickname: str
    number: int
    full_name: str = ""
    avatar: str = ""
    online: bool = True


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody else; `friends` are the accounts that can write to them in private, None meaning all."""

    wxid: str
    nickname: str
    number: int
    avatar: str = ""
    friends: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """A group chat."""

    wxid: str
    name: str
    number: int
    members: tuple[str, ...] = ()
    avatar: str = ""


Entry: TypeAlias = Account | Contact | Room
Watcher = Callable[[Entry], None]


class World:
    """Everybody the platform knows; starts empty, and anything may be added at any time."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []
        self.accounts: dict[str, Account] = {}
        self.contacts: dict[str, Contact] = {}
        self.rooms: dict[str, Room] = {}
        self.server_ips: tuple[str, ...] = ("127.0.0.1",)  #: where callbacks come from
        self._numbers = 0

    def add_account(self, wxid: str, nickname: str, *, full_name: str = "", online: bool = True) -> Account:
        """Add one of our own accounts, or replace it."""
        self._refuse_taken(wxid, self.contacts, self.rooms)
        account = Account(wxid, nickname, self._next(), full_name or nickname, online=online)
        self.accounts[wxid] = account
        self._tell(account)
        return account

    def add_contact(self, wxid: str, nickname: str, *, friends: Iterable[str] | None = None) -> Contact:
        """Add somebody else, or replace them; `friends` limits the accounts that reach them in private."""
        self._refuse_taken(wxid, self.accounts, self.rooms)
        known = None if friends is None else frozenset(friends)
        contact = Contact(wxid, nickname, self._next(), friends=known)
        self.contacts[wxid] = contact
        self._tell(contact)
        return contact

    def add_room(self, wxid: str, name: str, members: Iterable[str] = ()) -> Room:
        """Add a room, or replace it; its members must exist already."""
        self._refuse_taken(wxid, self.accounts, self.contacts)
        room = Room(wxid, name, self._next(), tuple(dict.fromkeys(members)))
        for member in room.members:
            self._require_person(member)
        self.rooms[wxid] = room
        self._tell(room)
        return room

    def join(self, room: str, member: str) -> None:
        """Let somebody into a room."""
        self._require_person(member)
        self._set_members(room, tuple(dict.fromkeys([*self.room(room).members, member])))

    def leave(self, room: str, member: str) -> None:
        """Take somebody out of a room; what our account sends there from now on fails after its echo."""
        self._set_members(room, tuple(m for m in self.room(room).members if m != member))

    def room(self, wxid: str) -> Room:
        """Give the room; WorldError where there is none."""
        if wxid not in self.rooms:
            raise WorldError(f"there is no room {wxid}")
        return self.rooms[wxid]

    def knows(self, wxid: str) -> bool:
        """Say whether this is a room or a person at all."""
        return wxid in self.rooms or wxid in self.accounts or wxid in self.contacts

    def name(self, wxid: str) -> str:
        """Give the name of a person or room, or the id where none is known."""
        room = self.rooms.get(wxid)
        if room is not None:
            return room.name
        person = self.accounts.get(wxid) or self.contacts.get(wxid)
        return person.nickname if person is not None else wxid

    def reaches(self, sender: str, to: str) -> bool:
        """Say whether what `sender` says to `to` (a room or a person) appears there."""
        if to in self.rooms:
            return sender in self.rooms[to].members
        if to not in self.accounts and to not in self.contacts:
            return False
        return sender != to and self._are_friends(sender, to) and self._are_friends(to, sender)

    def listeners(self, sender: str, to: str) -> list[tuple[str, str]]:
        """Give our accounts that see a message, each with the conversation it sees it in."""
        if to in self.rooms:
            return [(member, to) for member in self.rooms[to].members if member in self.accounts]
        chats = [(sender, to), (to, sender)]
        return [(account, chat) for account, chat in chats if account in self.accounts]

    def everything(self) -> list[Entry]:
        """Give everybody, and then the rooms they are in."""
        return [*self.accounts.values(), *self.contacts.values(), *self.rooms.values()]

    def copy(self) -> World:
        """Give a world of its own with the same people and rooms."""
        copy = World()
        copy.accounts, copy.contacts, copy.rooms = dict(self.accounts), dict(self.contacts), dict(self.rooms)
        copy._numbers = self._numbers
        return copy

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher` with whoever is new or changed, until the function that comes back is called."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def _set_members(self, room: str, members: tuple[str, ...]) -> None:
        self.rooms[room] = replace(self.room(room), members=members)
        self._tell(self.rooms[room])

    def _tell(self, entry: Entry) -> None:
        for watcher in list(self._watchers):
            watcher(entry)

    def _are_friends(self, one: str, other: str) -> bool:
        contact = self.contacts.get(one)
        return contact is None or contact.friends is None or other in contact.friends

    def _require_person(self, wxid: str) -> None:
        if wxid not in self.accounts and wxid not in self.contacts:
            raise WorldError(f"there is nobody with the id {wxid}")

    def _refuse_taken(self, wxid: str, *others: object) -> None:
        if any(isinstance(known, dict) and wxid in known for known in others):
            raise WorldError(f"the id {wxid} belongs to something else")

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers


def place_of(sender: str, to: str, *, is_room: bool) -> str:
    """Give one name for a conversation, the same from both ends of a private one."""
    return to if is_room else "|".join(sorted((sender, to)))
