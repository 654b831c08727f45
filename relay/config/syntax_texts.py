"""What is said about a file that is not TOML, in Chinese and English."""

from __future__ import annotations

from relay.language import Text

AT = Text("第 {line} 行第 {column} 列：{what}", "line {line}, column {column}: {what}")
NOT_TOML = Text("不是 TOML", "is not TOML", "toml")
NOT_TOML_HERE = Text("这里不是 TOML", "this is not TOML", "toml")

UNCLOSED = Text("文本缺少结束的引号", "a text has no closing quote", "toml")
UNCLOSED_HINT = Text(
    '文本写在同一行的两个 " 之间；多行文本用 """',
    'text stands between two " in one line; between two """ where it has several lines',
)
CONTROL = Text("这里不能有字符 {sign}", "the character {sign} must not stand here", "toml")
CONTROL_HINT = Text(
    "这是看不见的控制字符，删掉后重新输入", "it is an invisible control character: retype this part"
)
NO_VALUE = Text("这里应当是一个值", "a value should stand here", "toml")
NO_KEY = Text("这里应当是键或 [表名]", "a key or a [table] should stand here", "toml")
KEY_TWICE = Text("键 {key} 写了两次", "the key {key} is here a second time", "doubled")
TABLE_TWICE = Text("表或键 {table} 写了两次", "{table} is here a second time", "doubled")
FIRST_HINT = Text("第 {line} 行已经有了，合成一个", "line {line} has it as well: make one of the two")
ONCE_HINT = Text("每个名字只能写一次", "each name can be used once")
ARRAY = Text("列表缺少 , 或 ]", "a list lacks a , or its ]", "toml")
ARRAY_HINT = Text(
    "从第 {line} 行开始：各项之间用 ,，最后用 ]",
    "it begins in line {line}: a , between entries, a ] at the end",
)
INLINE = Text("{{…}} 里缺少 , 或 }}", "a {{…}} lacks a , or its }}", "toml")
INLINE_HINT = Text(
    '写在同一行：{{type = "picture", url = "…"}}', 'write it in one line: {{type = "picture", url = "…"}}'
)
BACKSLASH = Text("反斜杠后面的字符不对", "a backslash is followed by the wrong character", "toml")
BACKSLASH_HINT = Text(
    r"写 \\ 表示一个反斜杠，或用单引号 ' '", r"write \\ for one backslash, or use single quotes ' '"
)
NO_DATE = Text("没有这样的日期或时间", "there is no such date or time", "toml")
EQUALS = Text("键后面缺少 =", "there is no = after the key", "toml")
EQUALS_HINT = Text('写 键 = 值，例如 name = "价格"', 'write key = value, as in name = "price"')
COLON_HINT = Text("用 = 代替 :", "write = instead of :")
TRAILING = Text("值后面还有别的内容", "something follows the value", "toml")
BRACKET = Text("表名后面缺少 {bracket}", "there is no {bracket} after the table's name", "toml")

CURLY_HINT = Text(
    '这一行有中文引号，请换成英文引号 " "', 'this line has curly quotes: write straight ones, " "'
)
WIDE_HINT = Text(
    "请把全角的「{wide}」换成半角的「{narrow}」", "write {narrow} instead of the full-width {wide}"
)
SPACE_HINT = Text(
    "这一行有全角空格，请换成普通空格", "this line has a full-width space: write an ordinary one"
)
INVISIBLE_HINT = Text(
    "这一行有看不见的字符 {sign}，请删掉", "this line has the invisible character {sign}: remove it"
)
COMMENT_HINT = Text("注释以 # 开头", "a comment begins with #")
ZERO_HINT = Text("数字不能以 0 开头", "a number does not begin with 0")
QUOTES_HINT = Text(
    '文本、时长和大小要加引号，例如 "10m"', 'text, durations and sizes stand in quotes, as in "10m"'
)
BOOLEAN_HINT = Text("只有小写的 true 和 false", "there are true and false, in lower case")
MISSING_HINT = Text('= 后面缺少值；空文本写 ""', 'after = a value is missing; an empty text is ""')

DEEP = Text("嵌套太深", "is nested too deeply", "toml")
LARGE = Text("超过 {limit}", "is larger than {limit}", "unreadable")
NO_FILE = Text("没有这个文件", "there is no such file", "unreadable")
NO_FILE_HINT = Text(
    "`relay init 文件夹` 新建一个机器人，`--config 路径` 指定别的文件",
    "`relay init FOLDER` makes a new bot, `--config PATH` names another file",
)
FOLDER = Text("是文件夹，不是文件", "is a folder, not a file", "unreadable")
FOLDER_HINT = Text("写 --config {path}", "write --config {path}")
LOOP = Text("是绕回自己的符号链接", "is a symbolic link that leads back to itself", "unreadable")
FORBIDDEN = Text("没有读取权限", "must not be read by this user", "unreadable")
UNREADABLE = Text("读不出来：{reason}", "cannot be read: {reason}", "unreadable")
NOT_UTF8 = Text(
    "第 {line} 行不是 UTF-8（第 {byte} 个字节）", "line {line} is not UTF-8 (byte {byte})", "encoding"
)
UTF8_HINT = Text("把文件另存为 UTF-8", "save the file as UTF-8")
GBK_HINT = Text(
    "看来是 GBK（ANSI）编码：在编辑器里另存为 UTF-8",
    "it looks like GBK (ANSI): save it as UTF-8 in the editor",
)
UTF16 = Text("是 UTF-16，不是 UTF-8", "is UTF-16, not UTF-8", "encoding")
NUL = Text("含有空字节，不是文本文件", "has NUL bytes in it, so it is no text file", "encoding")
