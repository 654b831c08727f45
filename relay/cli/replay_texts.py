"""What `relay replay` says."""

from relay.language import Text

REPLAYED = Text("{before} → {after}，{count} 条消息", "{before} → {after}, over {count} messages")
THEN = Text("当时的决定", "what was decided then")
NOT_CHANGED = Text("没有一条会有变化。", "Nothing would change.")
CHANGES = {
    ("answered", "more"): Text(
        "+ 多回复 {messages} 条，在 {chats} 个会话", "+ would answer {messages} more, in {chats} chat{s}"
    ),
    ("answered", "fewer"): Text(
        "− 不再回复 {messages} 条，在 {chats} 个会话",
        "− would answer {messages} no longer, in {chats} chat{s}",
    ),
    ("answered", "differently"): Text(
        "~ {messages} 条的回复会不同，在 {chats} 个会话",
        "~ would answer {messages} differently, in {chats} chat{s}",
    ),
    ("passed_on", "more"): Text(
        "+ 多转给别的会话 {messages} 条，来自 {chats} 个会话",
        "+ would pass on {messages} more, from {chats} chat{s}",
    ),
    ("passed_on", "fewer"): Text(
        "− 不再转给别的会话 {messages} 条，来自 {chats} 个会话",
        "− would pass on {messages} no longer, from {chats} chat{s}",
    ),
    ("passed_on", "differently"): Text(
        "~ {messages} 条会转得不同，来自 {chats} 个会话",
        "~ would pass on {messages} differently, from {chats} chat{s}",
    ),
    ("afterwards", "more"): Text(
        "+ 提问没人回答时多说 {messages} 次，在 {chats} 个会话",
        "+ would say more where nobody answers {messages} of its questions, in {chats} chat{s}",
    ),
    ("afterwards", "fewer"): Text(
        "− 提问没人回答时少说 {messages} 次，在 {chats} 个会话",
        "− would say no more where nobody answers {messages} of its questions, in {chats} chat{s}",
    ),
    ("afterwards", "differently"): Text(
        "~ 提问没人回答时说得不同 {messages} 次，在 {chats} 个会话",
        "~ would say something else where nobody answers {messages} of its questions, in {chats} chat{s}",
    ),
}
NOBODY_ANSWERED = Text("（无人回答）", "(nobody answered)")
SHOWN_OF = Text(
    "列出有变化的 {count} 条里最新的 {shown} 条（--limit）。",
    "The newest {shown} of {count} that would change (--limit).",
)
BEFORE = Text("原来", "before")
AFTERWARDS = Text("之后", "after")
NOTHING_DONE = Text("—", "—")
TO_CHATS = Text("{rule} {kind}到 {count} 个会话", "{rule} {kind} to {count} chats")
REPLAY_FAILS = Text("{plugin} 出错 {messages} 次：{reason}", "{plugin} failed {messages} times: {reason}")
REPLAY_ALIKE = Text(
    "两边都照原来的时间重新演练了一遍，什么都没有发送；记忆用的是一份副本，冷却从头算起。",
    "Both were rehearsed at the messages' own times, and nothing was sent; memory is a copy, and "
    "cooldowns begin anew.",
)
REPLAY_WITHOUT = Text(
    "对话的回答和超时也在内，提问要在这段时间里；平台事件、定时和投递变化不演练。",
    "Answers and time-outs of questions that were asked in this time are part of it; events, ticks and "
    "changes of deliveries are not.",
)
REPLAY_THEN = Text(
    "照原来的时间重新演练了一遍，什么都没有发送；记忆用的是一份副本，冷却从头算起，所以可能和当时略有出入。",
    "Rehearsed at the messages' own times, and nothing was sent; memory is a copy and cooldowns begin anew, "
    "so little things may differ from what was.",
)
REPLAYING = Text("演练", "rehearsing")
REPLAY_STOPPED = Text("演练中止了", "the rehearsal was stopped")
REPLAY_STOPPED_HINT = Text("什么都没有发送或改动", "nothing was sent or changed")
REPLAY_DIED = Text(
    "演练到 {id} 时进程没了（{how}），当时在跑 {plugin}",
    "the rehearsal's process ended over {id} ({how}) while {plugin} ran",
)
REPLAY_HUNG = Text(
    "演练到 {id} 时卡住了，当时在跑 {plugin}", "the rehearsal hung over {id} while {plugin} ran"
)
REPLAY_DIED_HINT = Text("relay explain {id} 说明这条消息", "`relay explain {id}` tells of that message")
NO_AGAINST = Text("没有 {path}", "there is no {path}")
NO_AGAINST_HINT = Text(
    "--against 要写一个 bot.toml，或有 bot.toml 的文件夹",
    "--against takes a bot.toml, or a folder that has one",
)
NOT_LOADED = Text(
    "新配置里的插件 {name} 加载不了：{error}",
    "plugin {name} of the other configuration does not load: {error}",
)
NOT_LOADED_HINT = Text("relay check --config {path} 会说明", "`relay check --config {path}` tells more")
