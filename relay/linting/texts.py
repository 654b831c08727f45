"""What the linter says, in Chinese and English; the third word is the code, which never changes."""

from __future__ import annotations

from relay.language import Text

# --- never its turn ------------------------------------------------------------------------------

SHADOWED = Text(
    "永远轮不到：它要的消息都先被 {by} 接走了",
    "never gets its turn: {by} takes every message it asks for",
    "shadowed",
)
SHADOWED_HINT = Text(
    "把它移到 {by} 前面，或删掉它，或给 {by} 写 stop = false",
    "move it before {by}, or remove it, or give {by} stop = false",
)
WORD_SHADOWED = Text(
    "永远轮不到：含有它的消息都先被 {by} 接走了",
    "never gets its turn: {by} takes every message with it",
    "word_shadowed",
)
WORD_SHADOWED_HINT = Text(
    "把 {name} 移到 {by} 前面，或删掉这个词",
    "move {name} before {by}, or take the word out",
)
WORD_DOUBLED = Text(
    "多余：凡是它命中的，同一条规则的 {other} 也会命中",
    "adds nothing: whatever it matches, {other} of the same rule matches as well",
    "word_doubled",
)
WORD_DOUBLED_HINT = Text("删掉其中一个", "take one of the two out")

# --- always and never ----------------------------------------------------------------------------

EVERY_TEXT = Text("什么文字都会命中", "matches whatever is said", "matches_everything")
EVERY_TEXT_HINT = Text("写得具体些，或删掉它", "make it more specific, or take it out")
NEVER = Text("永远不会命中：{why}", "is never true: {why}", "never_true")
ROOMS_ONLY = Text("`chats` 里全是群，没有单聊", "`chats` has rooms only, and no private chat")
PRIVATE_ONLY = Text("`chats` 里全是单聊，没有群", "`chats` has private chats only, and no room")
NO_TEXT = Text("{types} 消息没有文字可找", "there are no words in {types} messages")
UNWANTED = Text("每个词里都有 `not_contains` 的词", "there is a word of `not_contains` in each of its words")
UNWANTED_ONE = Text("里面有 `not_contains` 的「{word}」", "“{word}” of `not_contains` is in it")
ROOM_SENDERS = Text("群不会说话，说话的是人", "a room says nothing, people do")
ROOM_ACCOUNTS = Text("群不是账号", "a room is no account")
OUR_SENDERS = Text(
    "这些是我们自己的账号，自己说的不处理", "these are our own accounts, and what they say is not acted on"
)
SWITCHED_OFF = Text("[plugins.{plugin}] 不管这些会话", "[plugins.{plugin}] is not for these chats")
CHECK_HINT = Text("改掉其中一个", "change one of them")
PEOPLE_HINT = Text("写人的 wxid：`7881…`", "write the wxids of people: `7881…`")
ACCOUNTS_HINT = Text("写我们账号的 wxid：`1688…`", "write the wxids of our accounts: `1688…`")
OWN_HINT = Text("换成客户的 wxid，或写 include_own = true", "name customers, or write include_own = true")
SWITCH_HINT = Text("在 [plugins.{plugin}] 的 chats 里加上它们", "add them to chats of [plugins.{plugin}]")

# --- routes --------------------------------------------------------------------------------------

ROUTE_SHADOWED = Text(
    "什么也不会转发：{by} 已经全都转了", "never sends anything: {by} brings all of it", "shadowed"
)
ROUTE_SHADOWED_HINT = Text("删掉其中一条", "remove one of the two")
ROUTE_DOUBLED = Text(
    "{path} 已由 {by} 转发，这里不会再转{more}",
    "{path} is served by {by} already, and not a second time by this one{more}",
    "route_doubled",
)
MORE = Text("（另有 {count} 处）", " (and {count} more)")
ROUTE_DOUBLED_HINT = Text("每个方向只写在一条路由里", "write each direction in one route only")
CYCLE = Text(
    "转成了一个圈：{path}。不会没完没了（机器人不转发自己发的消息），但每条消息只走一步",
    "closes a circle: {path}. Nothing goes round for ever (the bot forwards nothing that it sent itself), "
    "but each message goes one step only",
    "route_cycle",
)
CYCLE_TWO_HINT = Text(
    "要互相转发，写一条 between = [{chats}]",
    "for both directions write one route with between = [{chats}]",
)
CYCLE_HINT = Text(
    "要让每个群都看到，写一条 between = [{chats}]",
    "for all to see everything write one route with between = [{chats}]",
)
TWICE = Text(
    "{path} 会出现两次：{by} 也把同一条消息发过去，一次原样转发，一次作为文字",
    "{path} shows a message twice: {by} sends it as well, once as it is and once as a text",
    "message_doubled",
)
TWICE_HINT = Text(
    "只留一个，或两边都用 verbatim：原样转发到同一个会话只发一次",
    "keep one of them, or make both verbatim: a chat gets the same forward once",
)
FAN_OUT = Text(
    "{chat} 里的一句话要发到 {count} 个会话，而一个账号每分钟最多发 {per_minute} 条（delivery.per_minute）",
    "what is said once in {chat} goes to {count} chats, and an account sends {per_minute} a minute "
    "(delivery.per_minute)",
    "fan_out",
)
ANYWHERE = Text("任何会话", "any chat")
FAN_OUT_HINT = Text("分给几个账号，或少转几个群", "divide the chats among several accounts, or send to fewer")

# --- how things are called -----------------------------------------------------------------------

NAMED = Text("{list}[{number}]“{name}”", "{list}[{number}] “{name}”")
