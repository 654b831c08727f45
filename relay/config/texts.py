"""What is said about mistakes in the configuration, in Chinese and English; a third word is the code."""

from __future__ import annotations

from relay.language import Text

# --- kinds of values -----------------------------------------------------------------------------

BOOLEAN = Text("真假值（true 或 false）", "true or false")
WHOLE = Text("整数", "a whole number")
DECIMAL = Text("小数", "a decimal number")
NUMBER = Text("数字", "a number")
TEXT = Text("文本", "text")
LIST = Text("列表", "a list")
TABLE = Text("表", "a table")
NOTHING = Text("空", "nothing")
MOMENT = Text("日期或时间", "a date or a time")
DATE = Text("日期", "a date")
TIME = Text("时间", "a time")
DATETIME = Text("日期和时间", "a date with a time")
LENGTH = Text("时长", "a length of time")
ADDRESS = Text("网址", "a URL")
UUID = Text("UUID", "a UUID", "type")
CHAT = Text("会话", "a chat")
CHATS = Text("会话或会话列表", "a chat or a list of chats")
NETWORK = Text("带引号的地址或网段", "an address or a network in quotes")
DURATION = Text("时长", "a duration")
SIZE = Text("大小", "a size")

EXPECTED = Text("应为{wanted}，却是{found}", "expected {wanted}, found {found}", "type")
NOT_A = Text("不是{wanted}", "is not {wanted}", "value")

# --- keys ----------------------------------------------------------------------------------------

UNKNOWN_KEY = Text("没有这个键", "is not a known key", "unknown_key")
UNKNOWN_TABLE = Text("没有这个表", "is not a known table", "unknown_key")
KNOWN_HERE = Text("这里可以写：{names}", "known here: {names}")
BELONGS = Text("它属于 {tables}", "it belongs in {tables}")
MEANT = Text("是不是想写 `{name}`？", "did you mean `{name}`?")
REQUIRED = Text("必须填写", "is required", "required")
ADD = Text("加上 {key} = {value}", "add {key} = {value}")
DEFAULT = Text("默认：{value}", "default: {value}")
EMPTY = Text("不能为空", "must not be empty", "required")
EMPTY_SECRET = Text("在这里填写，或在 .env 里填好它的变量", "fill it in here, or its variable in .env")

# --- values --------------------------------------------------------------------------------------

AT_LEAST = Text("不能小于 {ge}", "must be at least {ge}", "range")
AT_MOST = Text("不能大于 {le}", "must be at most {le}", "range")
MORE_THAN = Text("必须大于 {gt}", "must be more than {gt}", "range")
LESS_THAN = Text("必须小于 {lt}", "must be less than {lt}", "range")
MULTIPLE = Text("必须是 {multiple_of} 的倍数", "must be a multiple of {multiple_of}", "range")
FINITE = Text("必须是有限的数", "must be a finite number", "range")
ONE_OF = Text("必须是 {expected}", "must be {expected}", "choice")
ONE_TAG = Text("{discriminator} 必须是 {expected_tags}", "{discriminator} must be {expected_tags}", "choice")
NO_TAG = Text("必须写明 {discriminator}", "needs {discriminator}", "required")
LONG_TEXT = Text("至少要有 {min_length} 个字符", "must have at least {min_length} characters", "range")
SHORT_TEXT = Text("最多只能有 {max_length} 个字符", "must have at most {max_length} characters", "range")
LONG_LIST = Text("至少要有 {min_length} 项", "must have at least {min_length} entries", "range")
SHORT_LIST = Text("最多只能有 {max_length} 项", "must have at most {max_length} entries", "range")
PATTERN = Text("必须符合 {pattern}", "must match {pattern}", "value")
ASCII = Text("只能有 ASCII 字符", "must consist of ASCII characters", "value")
PAST = Text("必须在过去", "must be in the past", "range")
FUTURE = Text("必须在将来", "must be in the future", "range")
ZONED = Text("必须带时区", "must have a time zone", "value")
UNZONED = Text("不能带时区", "must not have a time zone", "value")
SCHEMES = Text("必须以 {expected_schemes} 开头", "must begin with {expected_schemes}", "value")
DIGITS = Text("位数太多", "has too many digits", "range")
UNFIT = Text("这里不能用这个值", "is not what can stand here", "value")

TIME_ZONE = Text("不是时区", "is not a time zone", "value")
TIME_ZONE_HINT = Text('写 IANA 名称，例如 "Asia/Shanghai"', 'write an IANA name such as "Asia/Shanghai"')
BASE_URL = Text("不是 http 或 https 地址", "is not an http or https address", "value")
BASE_URL_HINT = Text(
    '写 "https://oapi-yzj.miaokol.com"，或 "http://<绑定的域名>/oapi"',
    'write "https://oapi-yzj.miaokol.com", or "http://<bound domain>/oapi"',
)
KEY_ASCII = Text("密钥只能有 ASCII 字符", "the key must consist of ASCII characters", "value")
KEY_LENGTH = Text(
    "密钥必须是 32 个字符，或 43 个 base64 字符，而这里有 {count} 个",
    "the key must have 32 characters, or 43 of base64, not {count}",
    "value",
)
KEY_BASE64 = Text("密钥不是 base64", "the key is not base64", "value")
KEY_HINT = Text(
    "从平台的回调设置里复制 encoding_aes_key", "copy encoding_aes_key from the platform's callback settings"
)
SLASH = Text("必须以 / 开头", "must begin with /", "value")
PATH_TAKEN = Text(
    "已被占用：/、/healthz 和 /readyz 另有用途",
    "is taken: /, /healthz and /readyz have their own answers",
    "value",
)
PATH_LETTERS = Text(
    "只能有字母、数字和 / . _ ~ -", "may only have letters, digits and / . _ ~ - in it", "value"
)
PATH_ENDS = Text("不能以 / 结尾", "must not end in /", "value")
PATH_HINT = Text('写 "/callback/${{RELAY_CALLBACK_SECRET}}"', 'write "/callback/${{RELAY_CALLBACK_SECRET}}"')
NOT_NETWORK = Text("不是地址或网段", "is not an address or a network", "value")
NETWORK_HINT = Text(
    '写 "203.0.113.7" 或 "203.0.113.0/24"，主机位须为零',
    'write "203.0.113.7" or "203.0.113.0/24", with nothing set beyond the network\'s own bits',
)
HOST = Text("不是地址或主机名", "is not an address or a host name", "value")
HOST_HINT = Text(
    '写 "127.0.0.1"；要监听所有网卡写 "0.0.0.0"', 'write "127.0.0.1", or "0.0.0.0" for every interface'
)
NO_POSTGRES = Text(
    "这个版本还不支持 PostgreSQL", "PostgreSQL is not available in this version", "unavailable"
)
NO_POSTGRES_HINT = Text('写 "sqlite:///relay.db"', 'write "sqlite:///relay.db"')
DATABASE = Text("不是数据库文件的地址", "is not the address of a database file", "value")
DATABASE_HINT = Text(
    '写 "sqlite:///relay.db"（在 bot.toml 旁边）或 "sqlite:////var/lib/relay/relay.db"',
    'write "sqlite:///relay.db" (beside bot.toml) or "sqlite:////var/lib/relay/relay.db"',
)
NO_FOLDER = Text("这个文件夹读不了：{reason}", "cannot be looked into: {reason}", "unreadable")
NO_FOLDER_HINT = Text("写插件所在文件夹的名字", "name the folder that plugins are in")
NOWHERE = Text(
    "把 chats 全排除了：插件在哪个会话都不会运行",
    "takes back all of chats: the plugin would run nowhere",
    "value",
)
TWICE = Text("把 {names} 写了两次", "names {names} twice", "doubled")
TWICE_HINT = Text("每个插件只写一次", "name each plugin once")
WRITE = Text("写 {example}", "write {example}")
DURATIONS = Text('"500ms"、"5s"、"10m"、"2h" 或 "30d"', '"500ms", "5s", "10m", "2h" or "30d"')
SIZES = Text('"64KB"、"8MB" 或 "1GB"', '"64KB", "8MB" or "1GB"')
LIMIT = Text("不能大于 {limit}", "must be at most {limit}", "range")
NONE = Text("必须大于 {zero}", "must be more than {zero}", "range")
LEAST = Text("必须至少 {least}", "must be at least {least}", "range")
RETAIN_LEAST_HINT = Text(
    "我们发出的消息在一天内还可能作为回声回来", "what we sent may come back as an echo for a day"
)
LITTLE_MEMORY = Text(
    '必须至少 {least}，或 "0B"（不限）', 'must be at least {least}, or "0B" for no limit', "range"
)

# --- not in this version, and reasons that are not ours ------------------------------------------

PER_MINUTE_REASON = Text("平台每分钟最多接受 500 条", "the platform refuses more than 500 a minute")
SEND_BATCH_REASON = Text(
    "平台的 sendMessage 一次接受 1 到 5 条", "the platform takes 1 to 5 messages in one sendMessage"
)

# --- chats ---------------------------------------------------------------------------------------

UNKNOWN_CHAT = Text("[chats] 里没有 `{name}`", "`{name}` is not in [chats]", "unknown_chat")
UNKNOWN_CHAT_HINT = Text(
    "在 [chats] 里加上它，或直接写 wxid：`R:…` 和 `7881…` 可以直接用",
    "add it there, or use a wxid: `R:…` and `7881…` are taken as they are",
)
CYCLE = Text("包含了它自己：{turn}", "contains itself: {turn}", "cycle")
CYCLE_HINT = Text("去掉其中一个", "take one of them out")

# --- pairs ---------------------------------------------------------------------------------------

PASSWORD = Text("启用控制台时必须填写", "is required while the console is enabled", "required")
PASSWORD_HINT = Text(
    '加上 password = "${{RELAY_CONSOLE_PASSWORD}}"，或写 enabled = false',
    'add password = "${{RELAY_CONSOLE_PASSWORD}}", or write enabled = false',
)
PORTS = Text("和 server.port 相同", "is the same as server.port", "pair")
PORTS_HINT = Text("两扇门要各用一个端口；默认：8081", "the two doors need a port each; default: 8081")
TOKEN = Text("和 console.password 相同", "is the same as console.password", "pair")
TOKEN_HINT = Text(
    "另写一个令牌：能看指标的人不应该能登录",
    "make up another token: whoever reads the metrics should not be able to log in",
)
SHORTER = Text("必须比 {other} 短", "must be shorter than {other}", "pair")
LONGER = Text("必须比 {other} 长", "must be longer than {other}", "pair")
RESOLVE_HINT = Text(
    '否则还不知道结果，投递就过期了；默认："30s"',
    'else a delivery expires before its outcome is known; default: "30s"',
)
INTERVAL_HINT = Text(
    '否则每两条消息就有一条等到过期；默认："0s"',
    'else every second message expires while it waits; default: "0s"',
)
NOT_SHORTER = Text("不能比 {other} 短", "must not be shorter than {other}", "pair")
RETAIN_HINT = Text(
    '否则消息还在，它的 id 已被忘记；默认："180d"',
    'else the id of a message is forgotten before the message is removed; default: "180d"',
)
REMEMBER_HINT = Text(
    '否则消息还可能发出时就已被忘记；默认："180d"',
    'else a message is forgotten while it may still be sent; default: "180d"',
)

# --- warnings ------------------------------------------------------------------------------------

UNENCRYPTED = Text("app_secret 和消息会不加密地传输", "app_secret and messages travel unencrypted", "unwise")
UNENCRYPTED_HINT = Text("平台支持时请用 https", "use https where the platform offers it")
GUESSABLE = Text("太短，容易被猜到", "is short enough to be guessed", "unwise")
GUESSABLE_PATH_HINT = Text("里面放 {count} 个以上随机字符", "put {count} random characters or more into it")
GUESSABLE_PASSWORD_HINT = Text("用 8 个以上字符", "use 8 characters or more")
ANYBODY = Text(
    "知道回调路径的人都能伪造消息", "whoever learns the callback path can invent messages", "unwise"
)
ANYBODY_HINT = Text("在 allowed_ips 里列出平台的地址", "list the platform's addresses in allowed_ips")
DOLLAR_TEXT = Text("`${name}` 会被当作文本", "`${name}` is taken as text", "unwise")
DOLLAR_HINT = Text("写 ${{{name}}} 才会取环境变量", "write ${{{name}}} to take it from the environment")

# --- the environment -----------------------------------------------------------------------------

UNSET = Text("没有设置环境变量 {name}", "the environment variable {name} is not set", "unset_variable")
UNFILLED = Text(
    "环境变量 {name} 已设置，但是空的",
    "the environment variable {name} is set but empty",
    "required",
)
UNFILLED_HINT = Text("在 .env 或环境里填好 {name}", "give {name} a value, in .env or in the environment")
UNSET_HINT = Text(
    "把 {name}=… 写进 bot.toml 旁边的 .env，或在这里写 ${{{name}:-默认值}}",
    "put {name}=… into .env beside bot.toml, or write ${{{name}:-default}} here",
)
BROKEN_REFERENCE = Text("里面有没写变量名的 `${{`", "has a `${{` that names no variable", "reference")
UNCLOSED_REFERENCE = Text("里面的 `${{` 没有 `}}`", "has a `${{` without its `}}`", "reference")
REFERENCE_HINT = Text(
    "写 ${{NAME}} 或 ${{NAME:-默认值}}；$${{ 就是文本 ${{",
    "write ${{NAME}} or ${{NAME:-default}}; $${{ is a literal ${{",
)
VARIABLE_BYTES = Text(
    "环境变量 {name} 不是 UTF-8", "the environment variable {name} is not UTF-8", "encoding"
)
VARIABLE_NUL = Text(
    "环境变量 {name} 里有控制字符", "the environment variable {name} has a control character", "value"
)
DOTENV = Text("第 {line} 行读不懂", "line {line} cannot be read", "dotenv")
DOTENV_HINT = Text("每行写一个 NAME=value", "write NAME=value, one on each line")
DOTENV_QUOTES = Text(
    "第 {line} 行：{name} 的值用了中文引号",
    "line {line}: the value of {name} is in curly quotes",
    "dotenv",
)
DOTENV_QUOTES_HINT = Text('用英文引号 " "，或不用引号', 'use straight quotes " ", or none at all')
DOTENV_TWICE = Text(
    "第 {line} 行：{name} 在第 {first} 行已经有了，后面的生效",
    "line {line}: {name} is in line {first} as well; the later one counts",
    "doubled",
)

# --- plugins -------------------------------------------------------------------------------------

NO_PLUGIN = Text("没有这个插件", "there is no such plugin", "unknown_plugin")
NO_PLUGIN_TABLE_HINT = Text(
    "把 {name}.py 放进 {folder}/，或删掉这个表", "put {name}.py into {folder}/, or remove the table"
)
NO_PLUGIN_NAME_HINT = Text(
    "把 {name}.py 放进 {folder}/，或从这里删掉它", "put {name}.py into {folder}/, or take it out here"
)
NOT_IN_ORDER = Text("这个插件没有运行", "this plugin does not run", "unknown_plugin")
NOT_IN_ORDER_HINT = Text("在 plugins.order 里加上 {name}", "add {name} to plugins.order")

# --- the start -----------------------------------------------------------------------------------

CHECK_FAILED = Text("relay check 没有完成：{reason}", "relay check did not finish: {reason}", "check_failed")
NEEDS_RESTART = Text("改了它要重新启动", "needs a restart", "needs_restart")
CANNOT_LISTEN = Text("无法监听 {place}：{reason}", "cannot listen on {place}: {reason}", "port")
ANOTHER_PORT = Text("是否有别的程序在用？换一个端口", "is another program there? choose another port")
NO_DOOR = Text(
    "systemd 交来的套接字不属于我们的任何一扇门：{address}",
    "systemd passed a socket for no door of ours: {address}",
    "port",
)
NO_DOOR_HINT = Text(
    "ListenStream= 要与 bot.toml 的 host 和 port 一致，或 FileDescriptorName= 写 public 或 console",
    "ListenStream= must be host and port of bot.toml, or FileDescriptorName= public or console",
)
