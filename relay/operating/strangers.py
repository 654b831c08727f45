"""Ids in bot.toml that none of our accounts has met: most likely they are mistyped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from relay.config import Config
from relay.config.chats import is_chat_id
from relay.config.problems import Location, key_path, shown
from relay.errors import Problem
from relay.language import Said, Text, Words
from relay.store.protocol import Store
from relay.wire.entries import ROOM_PREFIX

NEVER_SEEN = Text(
    "我们的账号从没见过它：没有它的消息和名字，发给它的也从没成功过{more}",
    "none of our accounts has met it: no message, no name, and nothing of ours was accepted there{more}",
    "never_seen",
)
NO_ACCOUNT = Text(
    "不是我们的账号：平台没有列出它，也没有收到过它的回调{more}",
    "is no account of ours: the platform does not list it, and no callback came for it{more}",
    "never_seen",
)
NEAREST = Text("是不是想写 `{id}`{called}？", "did you mean `{id}`{called}?")
CALLED = Text("（{name}）", " ({name})")
CHECK = Text(
    "对一对 id；确实没错的话，第一次有消息后就不再提醒",
    "compare it; if it is right, this ends with the first message",
)

MORE = Text("；这个列表里这样的另有 {count} 个", "; {count} more of this list are like that")
MOST_TOLD = 3
"""Ids of one list that are told."""

CHATS = frozenset({"chats", "not_chats", "senders", "not_senders", "from", "to", "between", "forward_to"})
"""Keys of any plugin at which ids stand; at others, only a room's id is taken for one."""
ACCOUNTS = frozenset({"accounts", "account"})


@dataclass(frozen=True, slots=True)
class _Place:
    """An id and where bot.toml has it first."""

    wxid: str
    path: str
    account: bool


async def never_met(config: Config, store: Store) -> list[Problem]:
    """A warning for each of these ids, once, where it stands first."""
    places: dict[tuple[str, bool], _Place] = {}
    for place in _places(config):
        places.setdefault((place.wxid, place.account), place)
    anybody, accounts = ([p.wxid for p in places.values() if p.account is each] for each in (False, True))
    strangers, others = await store.unmet(anybody, accounts)
    if not strangers and not others:
        return []
    near = _Near(await store.acquaintances(), {each.wxid for each in places.values()})
    named = {wxids[0]: name for name, wxids in config.chats.names.items() if len(wxids) == 1}
    unmet = [each for each in places.values() if each.wxid in (others if each.account else strangers)]
    return [
        Problem(
            place.path,
            (NO_ACCOUNT if place.account else NEVER_SEEN).filled(more=more),
            shown(place.wxid, place.path),
            near.hint(place.wxid, named.get(place.wxid, "")),
        )
        for place, more in _first_of_each_list(unmet)
    ]


def _first_of_each_list(places: Iterable[_Place]) -> Iterator[tuple[_Place, Words]]:
    """A few of each list, the last of them with how many there are more."""
    lists: defaultdict[str, list[_Place]] = defaultdict(list)
    for place in places:
        lists[place.path.rpartition("[")[0] or place.path].append(place)
    for listed in lists.values():
        told, more = listed[:MOST_TOLD], len(listed) - MOST_TOLD
        for place in told:
            yield place, MORE.filled(count=more) if more > 0 and place is told[-1] else ""


def _places(config: Config) -> Iterator[_Place]:
    for path, wxid in config.chats.written.items():
        yield _Place(wxid, path, account=False)
    for index, wxid in enumerate(config.platform.accounts):
        yield _Place(wxid, f"platform.accounts[{index}]", account=True)
    for plugin, switch in config.plugins.switches.items():
        for key, wxids in (("chats", switch.chats), ("not_chats", switch.not_chats)):
            for wxid in wxids:
                yield _Place(wxid, key_path(("plugins", plugin, key)), account=False)
    for plugin, settings in config.plugins.settings.items():
        yield from _within(config, settings, ("plugins", plugin), "")


def _within(config: Config, value: object, at: Location, key: str) -> Iterator[_Place]:
    """Ids in a plugin's own table, but for what is switched off there."""
    if isinstance(value, Mapping):
        for name, item in value.items() if value.get("enabled") is not False else ():
            yield from _within(config, item, (*at, str(name)), str(name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _within(config, item, (*at, index), key)
    elif isinstance(value, str) and value not in config.chats.names and _is_id(value, key):
        yield _Place(value, key_path(at), account=key in ACCOUNTS)


def _is_id(value: str, key: str) -> bool:
    return is_chat_id(value) and (key in CHATS | ACCOUNTS or value.startswith(ROOM_PREFIX))


@dataclass(slots=True)
class _Near:
    """Finds the known id that is one slip of the keyboard away, or that is called as bot.toml calls it."""

    names: Mapping[str, str]
    written: Collection[str]  #: in bot.toml already: one of these is meant where no other is near
    _slips: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _called: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for wxid, name in self.names.items():
            for slip in _slips(wxid):
                self._slips[slip].append(wxid)
            if name:
                self._called.setdefault(name.casefold(), wxid)

    def hint(self, wxid: str, name: str) -> Said | Text:
        found = [each for slip in _slips(wxid) for each in self._slips.get(slip, ())]
        called = self._called.get(name.casefold())
        near = next(iter(sorted(found, key=self.written.__contains__)), None) if called is None else called
        if near is None:
            return CHECK
        known = self.names.get(near)
        return NEAREST.filled(id=near, called=CALLED.filled(name=known) if known else "")


def _slips(wxid: str) -> Iterable[str]:
    """It without one of its characters, and whole: what it has in common with whatever is one slip away."""
    return dict.fromkeys((wxid, *(wxid[:at] + wxid[at + 1 :] for at in range(len(wxid)))))
