"""What the platform tells about accounts, contacts, rooms and past messages (platform API §2)."""

from __future__ import annotations

from relay.simulator.answers import Refusal, page_of, with_data
from relay.simulator.entries import to_json
from relay.simulator.ledger import Copy, Ledger
from relay.simulator.parameters import Parameters
from relay.simulator.world import Account, Contact, Room, World

OFFLINE, ONLINE, EITHER = 0, 1, -1
BEFORE, AFTER = 1, 2


class Directory:
    """Answers the reading calls; changes nothing."""

    def __init__(self, world: World, ledger: Ledger) -> None:
        self._world = world
        self._ledger = ledger

    def accounts(self, call: Parameters) -> bytes:
        """GET /wechat/list"""
        online = call.number("online", EITHER)
        if online not in (OFFLINE, ONLINE, EITHER):
            raise Refusal(406, "online is 0, 1 or -1")
        found = [
            a for a in self._world.accounts.values() if online == EITHER or a.online == (online == ONLINE)
        ]
        return page_of([_account(account) for account in found], *call.paging())

    def room_detail(self, call: Parameters) -> bytes:
        """GET /wechat/roomDetail"""
        return with_data(_room(self._room(call.text("wxid"))))

    def contact_info(self, call: Parameters) -> bytes:
        """GET /wechat/contactInfo"""
        contact = self._contact(call.text("wxid"))
        rooms = [room.wxid for room in self._world.rooms.values() if contact.wxid in room.members]
        friends = [a for a in self._world.accounts if self._world.reaches(a, contact.wxid)]
        return with_data(to_json({"rel_wxids": friends, "room_wxids": rooms}))

    def contact_detail(self, call: Parameters) -> bytes:
        """GET /wechat/contactDetail"""
        account = self._account(call.text("rel_wxid"))
        contact = self._contact(call.text("wxid"))
        if not self._meets(account, contact):
            raise Refusal(406, "this account does not know this contact")
        return with_data(_person(contact))

    def rooms(self, call: Parameters) -> bytes:
        """POST /wechat/rooms"""
        account = call.text("rel_wxid", "")
        wanted = {wxid.strip() for wxid in call.text("wxids", "").split(",") if wxid.strip()}
        found = [
            room
            for room in self._world.rooms.values()
            if (not account or account in room.members) and (not wanted or room.wxid in wanted)
        ]
        return page_of([_room(room) for room in found], *call.paging())

    def room_members(self, call: Parameters) -> bytes:
        """GET /wechat/roomMembers"""
        members = self._room(call.text("room_wxid")).members
        people = [self._world.accounts.get(m) or self._world.contacts[m] for m in members]
        return page_of([_person(person) for person in people], *call.paging())

    def chat_logs(self, call: Parameters) -> bytes:
        """GET /wechat/chatLogs: oldest first after an svrid, else newest first (an assumption)."""
        chat_type, direction = call.number("chat_type", 0), call.number("direction", BEFORE)
        if chat_type not in (0, 1, 2) or direction not in (BEFORE, AFTER):
            raise Refusal(406, "chat_type is 0, 1 or 2; direction is 1 or 2")
        copies = self._from(call.text("svrid", ""), direction)
        wanted = {name: call.text(name, "") for name in ("msg_type", "wxid", "chat_wxid")}
        found = [copy.entry for copy in copies if self._fits(copy, wanted, chat_type)]
        return page_of(found, *call.paging())

    def server_ips(self, _: Parameters) -> bytes:
        """GET /index/serverIpList"""
        return with_data(to_json(self._world.server_ips))

    def _from(self, svrid: str, direction: int) -> list[Copy]:
        copies = self._ledger.copies
        if not svrid:
            return copies if direction == AFTER else copies[::-1]
        at = next((index for index, copy in enumerate(copies) if copy.svrid == svrid), None)
        if at is None:
            raise Refusal(406, "svrid is unknown")
        return copies[at + 1 :] if direction == AFTER else copies[:at][::-1]

    def _fits(self, copy: Copy, wanted: dict[str, str], chat_type: int) -> bool:
        has = {"msg_type": copy.msg_type, "wxid": copy.account, "chat_wxid": copy.chat}
        kind = 2 if copy.chat in self._world.rooms else 1
        return chat_type in (0, kind) and all(value in ("", has[name]) for name, value in wanted.items())

    def _meets(self, account: Account, contact: Contact) -> bool:
        shared = any({account.wxid, contact.wxid} <= set(room.members) for room in self._world.rooms.values())
        return shared or self._world.reaches(account.wxid, contact.wxid)

    def _account(self, wxid: str) -> Account:
        if wxid not in self._world.accounts:
            raise Refusal(406, f"{wxid} is not one of your accounts")
        return self._world.accounts[wxid]

    def _contact(self, wxid: str) -> Contact:
        if wxid not in self._world.contacts:
            raise Refusal(406, f"there is no contact {wxid}")
        return self._world.contacts[wxid]

    def _room(self, wxid: str) -> Room:
        if wxid not in self._world.rooms:
            raise Refusal(406, f"there is no room {wxid}")
        return self._world.rooms[wxid]


def _account(account: Account) -> bytes:
    names = {"nickname": account.nickname, "full_name": account.full_name}
    return to_json({"id": account.number, "wxid": account.wxid, **names, "avatar": account.avatar})


def _person(person: Account | Contact) -> bytes:
    return to_json(
        {"id": person.number, "wxid": person.wxid, "nickname": person.nickname, "avatar": person.avatar}
    )


def _room(room: Room) -> bytes:
    return to_json({"id": room.number, "wxid": room.wxid, "nickname": room.name, "avatar": room.avatar})
