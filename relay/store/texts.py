"""What commands tell of a database that they cannot use, in Chinese and English."""

from __future__ import annotations

from relay.language import Text

NOT_OPENED = Text("{path} 不能当作数据库打开：{reason}", "{path} cannot be opened as a database: {reason}")
NOT_READ = Text("读不了 {name}：{reason}", "{name} could not be read: {reason}")
NOT_READ_HINT = Text(
    "如果是别的程序锁着它，稍后再试；正在运行的机器人不会锁住它",
    "if another program has locked it, try again later; a bot that runs does not lock it",
)
NEWER = Text(
    "数据库的结构是第 {version} 版，这个 relay 只认到第 {newest} 版",
    "the database has schema {version}, and this relay knows schemas up to {newest}",
)
NEWER_HINT = Text("用写它的那个更新的 relay", "use the newer relay that wrote it")
OLDER = Text(
    "数据库的结构是第 {version} 版，这个 relay 要读第 {newest} 版",
    "the database has schema {version}, and this relay reads schema {newest}",
)
OLDER_HINT = Text(
    "旧的机器人停下之后，relay run 会把它升级",
    "`relay run` brings it up to date, once the older bot has ended",
)
READ_ONLY = Text("{name} 只为查看而打开", "{name} was opened to be read only")
