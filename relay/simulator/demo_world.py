"""The example world of `relay demo`: two accounts of ours, four rooms, customers and colleagues."""

from __future__ import annotations

from dataclasses import dataclass

from relay.simulator.settings import Language
from relay.simulator.world import World

ASSISTANT = "1688850000000001"
SECOND_ASSISTANT = "1688850000000002"
EAST = "R:10950000000000001"
SOUTH = "R:10950000000000002"
NORTH = "R:10950000000000003"
INSIDE = "R:10950000000000004"


@dataclass(frozen=True, slots=True)
class _Named:
    wxid: str
    zh: str
    en: str
    rooms: tuple[str, ...] = ()

    def name(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


_ACCOUNTS = (
    _Named(ASSISTANT, "小助手", "Assistant", (EAST, SOUTH, NORTH, INSIDE)),
    _Named(SECOND_ASSISTANT, "小助手二号", "Assistant Two", (SOUTH, INSIDE)),
)
_ROOMS = (
    _Named(EAST, "华东客户群", "East Customers"),
    _Named(SOUTH, "华南客户群", "South Customers"),
    _Named(NORTH, "华北客户群", "North Customers"),
    _Named(INSIDE, "内部服务群", "Service Team"),
)
_CONTACTS = (
    _Named("7881300000000001", "李伟", "Oliver Reed", (EAST,)),
    _Named("7881300000000002", "王芳", "Emma Clarke", (EAST,)),
    _Named("7881300000000003", "陈晓明", "Lucas Moore", (EAST, SOUTH)),
    _Named("7881300000000004", "黄丽", "Grace Hall", (SOUTH,)),
    _Named("7881300000000005", "林志强", "Henry Shaw", (SOUTH,)),
    _Named("7881300000000006", "赵敏", "Sophie Bell", (NORTH,)),
    _Named("7881300000000007", "孙浩", "Jack Turner", (NORTH,)),
    _Named("7881300000000008", "客服·周婷", "Service · Nora", (INSIDE,)),
    _Named("7881300000000009", "销售·吴磊", "Sales · Adam", (INSIDE,)),
)


def fill(world: World, language: Language = "zh") -> None:
    """Put the example people and rooms into a world; ids are the same in every language."""
    for account in _ACCOUNTS:
        world.add_account(account.wxid, account.name(language))
    for contact in _CONTACTS:
        world.add_contact(contact.wxid, contact.name(language))
    for room in _ROOMS:
        people = (*_CONTACTS, *_ACCOUNTS)
        world.add_room(room.wxid, room.name(language), [p.wxid for p in people if room.wxid in p.rooms])
