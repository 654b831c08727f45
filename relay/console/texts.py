"""The private door's words in Chinese and English."""

from __future__ import annotations

from relay.language import Text

FOREIGN_HOST = Text("这个地址不归本控制台", "this host is not ours")
FOREIGN_HOST_HINT = Text(
    "请用 localhost、127.0.0.1 或 console.host 里的名字访问",
    "use localhost, 127.0.0.1 or the name in console.host",
)
NO_PASSWORD = Text("需要密码", "a password is required")
NO_PASSWORD_HINT = Text(
    "请求头里加上 Authorization: Bearer <console.password>",
    "send the header Authorization: Bearer <console.password>",
)
GUESSED = Text("错误的密码太多", "too many wrong passwords")
GUESSED_HINT = Text("{seconds} 秒后再试", "try again in {seconds} s")
TOO_LARGE = Text("请求太大", "the request is too large")
TOO_LARGE_HINT = Text("正文最多 {most} 字节", "its body may have {most} bytes")
TOO_SLOW = Text("请求没有按时到齐", "the request did not arrive in time")
NO_LINE = Text("正文不是要试的话", "the body is nothing to try")
NO_LINE_HINT = Text(
    '写 JSON：{{"text": "…", "chat": "…", "sender": "…"}}，可以加 "account"',
    'send JSON: {{"text": "…", "chat": "…", "sender": "…"}}, and "account" if you like',
)
BUSY = Text("已有别的演练在进行", "others are trying something already")
BUSY_HINT = Text("稍后再试", "try again in a moment")
TOO_LONG = Text("演练用时太长，已经停止", "it took too long and was stopped")
BROKEN = Text("演练意外结束", "it ended without an answer")
TRY_HINT = Text("命令 relay try 能看到插件说了什么", "the command relay try shows what the plugins say")
NOT_FOUND = Text("没有这个路径", "there is no such path")
NOT_FOUND_HINT = Text("可用的路径见 /", "/ lists those that there are")
NOT_ALLOWED = Text("这里不能用这个方法", "this method is not possible here")
NOT_ALLOWED_HINT = Text("请用 {allowed}", "use {allowed}")
STORAGE = Text("数据库暂时不可用", "the database cannot be used at the moment")
STORAGE_HINT = Text("详情见日志", "the log has the details")
CRASHED = Text("出错了", "something went wrong")

TITLE = Text("控制台", "Console")
INTRODUCTION = Text(
    "这是机器人的内部入口。目前提供 JSON，网页稍后推出。",
    "This is the bot's private door. It speaks JSON for now; pages come later.",
)
PATHS = Text("路径", "Paths")
STATUS = Text("收件箱、投递、进程、插件", "inbox, deliveries, processes, plugins")
MESSAGES = Text("收到的消息，新的在前", "received messages, newest first")
DELIVERIES = Text("投递，新的在前", "deliveries, newest first")
EXPLAIN = Text(
    "一条消息：每条规则怎么判断，它去了哪里", "one message: what every rule said, and where it went"
)
OPERATE = Text("重发或丢弃一个投递", "send a delivery again, or drop it")
CONVERSATIONS = Text("等人回答的问题；结束其中一个", "questions that wait for an answer; end one of them")
OCCASION = Text(
    "消息以外叫过插件的一件事，例如定时", "what plugins were called for beside messages, such as a tick"
)
BODY = Text(
    "一个读不出来的回调：何时来的、为什么", "a callback that could not be read: when it came, and why"
)
REHEARSE = Text("机器人会怎样对待一句话；什么也不发送", "what the bot would do with a text; nothing is sent")
METRICS = Text(
    "给 Prometheus 的数字；也认 console.metrics_token",
    "numbers for Prometheus; opens to console.metrics_token, too",
)
OPENAPI = Text("全部接口的说明（OpenAPI）", "all of this, described for programs (OpenAPI)")
TRY = Text("试一试", "Try it")
SAME = Text(
    "命令 relay status、messages、explain、deliveries、retry、discard、conversations 和 try 给出同样的内容。",
    "The commands relay status, messages, explain, deliveries, retry, discard, conversations and try "
    "tell the same.",
)
