"""The commands' words in Chinese and English; a state's name stands with the questions."""

from __future__ import annotations

from relay.language import Text

# --- complaints ----------------------------------------------------------------------------------

CONFIGURATION = Text("配置有 {count} 个问题", "the configuration has {count} problem{s}")
CONFIGURATION_HINT = Text("改好后再用 relay check 检查", "`relay check` looks again")
USAGE_HINT = Text("`{command} --help` 有说明和例子", "`{command} --help` explains it, with examples")
NO_DATABASE = Text("还没有数据库 {path}", "there is no database yet: {path}")
NO_DATABASE_HINT = Text(
    "先用 relay run 启动一次机器人；它收到的一切都存在那里",
    "start the bot once with `relay run`; it keeps everything there",
)
PORT_TAKEN = Text("端口 {port} 已被占用", "port {port} is taken")
PORT_TAKEN_HINT = Text("用 {option} 换一个端口", "choose another one with {option}")
BAD_KEY = Text(
    "密钥必须是 32 个字符，或 43 个 base64 字符", "the key must have 32 characters, or 43 of base64"
)
BAD_RECORDING = Text("录制文件不能用：{problem}", "the recording cannot be used: {problem}")

# --- init ----------------------------------------------------------------------------------------

BOT_THERE = Text("{folder} 里已有 bot.toml", "there is a bot.toml in {folder} already")
BOT_THERE_HINT = Text(
    "换一个文件夹；要重新开始，先移走那个 bot.toml",
    "choose another folder; to begin anew, move that bot.toml away first",
)
COPIED_PLUGIN = Text(
    "这是 relay 自带插件的副本，可以随意修改；删掉这个文件就回到自带的版本。",
    "A copy of the plugin that comes with relay, for you to change. Without this file, that one runs.",
)
WRITTEN = Text("{folder} 里已准备好一个新机器人", "a new bot is in {folder}")
STEP_FILL = Text("复制 .env.example 并填写：", "Copy .env.example and fill it in:")
STEP_CHECK = Text("检查配置：", "Ask relay what it thinks of it:")
STEP_RUN = Text("启动：", "Let it serve:")

# --- tables --------------------------------------------------------------------------------------

ID = Text("编号", "id")
TIME = Text("时间", "time")
CHAT = Text("会话", "chat")
SENDER = Text("发送者", "sender")
ACCOUNT = Text("账号", "account")
TYPE = Text("类型", "type")
TEXT = Text("内容", "text")
STATE = Text("状态", "state")
REASON = Text("原因", "reason")
MESSAGE = Text("消息", "message")
KIND = Text("方式", "kind")
TARGET = Text("目标", "target")
EVIDENCE = Text("依据", "evidence")
ATTEMPTS = Text("次数", "tries")
RULE = Text("规则", "rule")
ERROR = Text("错误", "error")
LATE = Text("迟到：没人听时说的，后来补上", "late: said while nobody listened, and fetched since")
OURS = Text("我方", "ours")

KINDS = {"forward": Text("转发", "forward"), "send": Text("发送", "send")}
EVIDENCES = {
    "answer": Text("应答", "answer"),
    "echo": Text("回声", "echo"),
    "log": Text("日志", "log"),
    "silence": Text("无异常", "silence"),
}
TYPES = {
    "announcement": Text("群公告", "announcement"),
    "picture": Text("图片", "picture"),
    "link": Text("链接", "link"),
    "file": Text("文件", "file"),
    "voice": Text("语音", "voice"),
    "video": Text("视频", "video"),
    "program": Text("小程序", "program"),
    "card": Text("名片", "card"),
    "channel": Text("视频号", "channel"),
    "system": Text("系统", "system"),
    "revoke": Text("撤回", "revoke"),
    "location": Text("位置", "location"),
    "redpacket": Text("红包", "redpacket"),
    "emotionpic": Text("表情", "emotionpic"),
    "imgtext": Text("图文", "imgtext"),
    "merge": Text("合并消息", "merge"),
    "text": Text("文本", "text"),
}

MESSAGES_SHOWN = Text(
    "新的在前，显示 {count} 条；时区 {zone}", "newest first; {count} shown; times in {zone}"
)
NO_MESSAGES = Text("没有消息。", "No messages.")
NO_MESSAGES_HINT = Text(
    "机器人在运行吗？relay status 可以看到；平台的回调地址应指向 server.callback_path。",
    "Does the bot run? `relay status` tells; the platform's callback must point to server.callback_path.",
)
NONE_FOUND_HINT = Text("放宽条件再试：{given}", "Ask for more: this was limited by {given}.")
DELIVERIES_SHOWN = Text(
    "新的在前，显示 {count} 个；时区 {zone}", "newest first; {count} shown; times in {zone}"
)
NO_DELIVERIES = Text("没有投递。", "No deliveries.")
NO_DELIVERIES_HINT = Text(
    "有路由或规则命中消息后才会有投递；relay messages 列出收到的消息。",
    "There is one for each target of a route or rule that matched; `relay messages` lists what came in.",
)

# --- explain and try -----------------------------------------------------------------------------

MISSING = Text("缺少 {option}", "{option} is missing")
MISSING_HINT = Text(
    "谁在哪里说：--chat 和 --sender，都写 [chats] 里的名字或 id",
    "who says it, and where: --chat and --sender, each a name in [chats] or an id",
)
TRACE = Text("判断过程", "What the rules said")
PLUGIN = Text("插件", "plugin")
DECISION = Text("判断", "decision")
DURATION = Text("耗时", "took")
SVRID = Text("平台编号", "svrid")
NOT_ROUTED_YET = Text("还没有轮到它。", "Its turn has not come yet.")
NOT_ROUTED = Text("没有交给插件。", "It was not for the plugins.")
DECISIONS_MADE = Text("会做什么", "What the bot would do")
NO_DECISIONS = Text("什么也不做。", "Nothing.")
NOTHING_SENT = Text(
    "这是演练：没有发送，也没有记住任何东西。", "A rehearsal: nothing was sent or remembered."
)
WOULD_SAY = Text("「{said}」", '"{said}"')
HEARD_BY = Text("由我方账号听到：", "heard by")
NO_ACCOUNT = Text(
    "还不知道我方账号；用 --account 指定", "nobody: no account of ours is known yet; --account names one"
)
VERBATIM = Text("原样", "verbatim")
AFTER = Text("{seconds:g} 秒后", "after {seconds:g} s")

# --- retry and discard ---------------------------------------------------------------------------

IDS_OR_STATE = Text("要么写投递 id，要么写 --state", "give either ids of deliveries or --state")
IDS_OR_STATE_HINT = Text(
    "例如 relay {command} d12，或 relay {command} --state failed --chat 名字",
    "such as `relay {command} d12`, or `relay {command} --state failed --chat NAME`",
)
RETRY_QUESTION = Text("重发这 {count} 个投递？", "Send {count} deliveries again?")
DISCARD_QUESTION = Text("丢弃这 {count} 个投递？无法恢复", "Drop {count} deliveries for good?")
RETRIED = Text("{count} 个投递重新排队。", "{count} deliveries are queued again.")
DISCARDED = Text("{count} 个投递已丢弃。", "{count} deliveries were dropped.")
NOBODY_TO_ASK = Text(
    "共 {count} 个投递，这里无法询问", "it is about {count} deliveries, and there is nobody to ask"
)
NOBODY_TO_ASK_HINT = Text("加上 --yes 直接执行", "--yes does it without asking")
NOT_WISHED = Text("什么也没做", "nothing was done")
NONE_SELECTED = Text("没有符合条件的投递。", "No delivery is like that.")
SOME_REFUSED = Text(
    "{count} 个投递中有 {refused} 个没有办成", "{refused} of {count} deliveries stayed as they are"
)

# --- backup and forget ---------------------------------------------------------------------------

BACKED_UP = Text(
    "已备份到 {file}：{bytes}，{messages} 条消息，{deliveries} 个投递。",
    "{file} is a copy now: {bytes}, {messages} messages, {deliveries} deliveries.",
)
BACKUP_OVER_ITSELF = Text("{file} 是机器人自己的文件", "{file} is the bot's own")
BACKUP_IN_JOURNAL = Text("{folder} 是机器人自己的文件夹", "{folder} is the bot's own folder")
BACKUP_ELSEWHERE = Text("换一个地方，最好在另一块磁盘上", "choose another place, best on another disk")
BACKUP_IS_FOLDER = Text("{file} 是一个文件夹", "{file} is a folder")
BACKUP_FILE_HINT = Text("写出文件名，例如 {file}/relay.db", "name a file in it, such as {file}/relay.db")
BACKUP_NO_FOLDER = Text("没有文件夹 {folder}", "there is no folder {folder}")
BACKUP_NO_FOLDER_HINT = Text("先建好它，或换一个地方", "make it first, or choose another place")
BACKUP_THERE = Text("{file} 已经存在", "{file} is there already")
BACKUP_THERE_HINT = Text("换一个名字，或用 --force 覆盖它", "choose another name, or replace it with --force")
BACKUP_NO_COPY = Text("{file} 不是备份，不会被覆盖", "{file} is no copy of a database, and is not replaced")
BACKUP_NO_COPY_HINT = Text("换一个名字", "choose another name")
BACKUP_NO_ROOM = Text("{folder} 所在的磁盘满了", "the disk of {folder} is full")
BACKUP_NO_PERMISSION = Text("不能写入 {folder}：{reason}", "{folder} cannot be written: {reason}")
BACKUP_FAILED = Text("备份没有完成：{reason}", "the copy was not finished: {reason}")
BACKUP_UNTOUCHED = Text(
    "数据库没有变，也没有留下半个备份", "the database is as it was, and no half of a copy is left"
)

NO_PERSON = Text("{wxid} 不是一个人的 id", "{wxid} is not the id of a person")
NO_PERSON_HINT = Text(
    "relay messages --ids 显示发送者的 id", "`relay messages --ids` shows the ids of senders"
)
OUR_OWN = Text("{wxid} 是我方账号", "{wxid} is an account of ours")
ON_THE_WAY = Text("{count} 个相关的投递正在途中", "{count} deliveries of theirs are on their way")
ON_THE_WAY_HINT = Text(
    "过一分钟再试；relay deliveries --state sending,unknown 可以看到",
    "try again in a minute; `relay deliveries --state sending,unknown` shows them",
)
STILL_OPEN = Text("{count} 个相关的投递还没有发出", "{count} deliveries of theirs are still to be sent")
STILL_OPEN_HINT = Text("先等它们发完，或用 --yes 丢弃它们", "wait until they are, or drop them with --yes")
FORGET_QUESTION = Text(
    "清除 {wxid} 的 {messages} 条消息和 {deliveries} 个投递的内容？无法恢复",
    "Remove {messages} messages of {wxid} for good, and what is in {deliveries} deliveries?",
)
NOBODY_TO_ASK_OF = Text(
    "涉及 {wxid} 的 {messages} 条消息，这里无法询问",
    "it is about {messages} messages of {wxid}, and there is nobody to ask",
)
FORGOTTEN = Text(
    "已清除 {wxid}：{messages} 条消息，{deliveries} 个投递的内容（丢弃 {discarded} 个），"
    "{names} 个名字，{plugin_state} 项插件记录，{conversations} 个对话。",
    "Removed of {wxid}: {messages} messages, the content of {deliveries} deliveries ({discarded} dropped), "
    "{names} names, {plugin_state} values of plugins, {conversations} conversations.",
)
NOTHING_KNOWN = Text(
    "这里没有 {wxid} 的任何东西：编号写对了吗？",
    "nothing was known of {wxid}: is it the right id?",
)
LOG_NOT_CUT = Text(
    "有程序一直在读，relay.db-wal 里可能还有残留；过一会儿再执行一次",
    "somebody reads all the time, so relay.db-wal may still hold some of it; run this once more later",
)
NOT_REACHED_ARE = Text("没有清除的：", "What this does not reach:")
NOT_REACHED = {
    "backups": Text("数据库的备份", "copies of the database"),
    "platform": Text(
        "平台自己的消息记录，以及各个聊天里的消息", "the platform's own log, and the chats themselves"
    ),
    "damaged": Text("读不出的正文", "bodies that could not be read"),
    "journal": Text(
        "relay.db.journal 和 spool 里加密的回调",
        "encrypted callbacks in relay.db.journal and in the spool",
    ),
    "others": Text(
        "别人提到或引用的话，插件记在别处的值",
        "what others said of them or quoted, and what plugins keep under other keys",
    ),
    "ids": Text(
        "消息的 id；一天内发给此人的投递，以此人为目标的空壳",
        "ids of messages; and of deliveries of the last day, a shell that names its target",
    ),
}

# --- diagnose ------------------------------------------------------------------------------------

ALL_READ = Text("收到的正文都读出来了。", "Every body that came could be read.")
BODIES_SHOWN = Text(
    "新的在前，共 {kept} 个，显示 {count} 个；时区 {zone}",
    "newest first; {count} of {kept} shown; times in {zone}",
)
BYTES = Text("字节", "bytes")
FAILED_AT = Text("收到时败在", "failed at")
LOOKS_LIKE = Text("看起来是", "looks like")
NOW = Text("现在", "now")
READABLE = Text("可以读了", "readable")
TAKEN_IN = Text(
    "收下了 {bodies} 个正文，其中 {entries} 条是新的。", "Took in {bodies} bodies with {entries} new entries."
)

# --- status --------------------------------------------------------------------------------------

INBOX = Text("收件箱", "Inbox")
WAITING = Text("{count} 条等待处理", "{count} waiting")
UNREADABLE = Text("读不出的正文", "Unreadable bodies")
UNREAD = Text(
    "至今 {count} 个，最近一个 {id} 在 {at}；relay explain {id} 或 relay diagnose 说明原因",
    "{count} so far, the last, {id}, at {at}; `relay explain {id}` or `relay diagnose` says what is wrong",
)
DELIVERIES = Text("投递", "Deliveries")
PROCESSES = Text("进程", "Processes")
PLUGINS = Text("插件", "Plugins")
ACCOUNTS = Text("我方账号", "Accounts")
NO_ACCOUNTS = Text("还不知道；在列出之前不处理消息", "not known yet; until they are listed nothing is routed")
PAUSES = Text("暂停", "Paused")
PAUSED = Text("到 {until}：{reason}", "until {until}: {reason}")
PLATFORM = Text("整个平台", "the whole platform")
ECHOES = Text("核对", "Checking up")
SHORT_PATIENCE = Text(
    "99% 的回声要 {p99} 秒，而 delivery.resolve_within 是 {within} 秒：至少写它的三倍",
    "99 of 100 echoes take {p99} s, and delivery.resolve_within is {within} s: make it three times as long",
)
ANSWERS = Text("应答", "Answers")
LATE_TODAY = Text(
    "今天（中国时间）{count} 次应答超过一秒：满 1,000 次平台就停一天",
    "{count} took longer than a second today, by China's time: at 1,000 the platform stops for the day",
)
LOST = Text(
    "{count} 个回调答复了却丢了：没人听的时段会从平台的记录里补",
    "{count} callbacks were answered and lost: what the platform's log tells is fetched again",
)
REPAIRING = Text("{count} 个会话等着补上没人听时说的话", "{count} chats wait to be fetched again after a gap")
CALLBACKS_FROM = Text("回调来源", "Callbacks from")
EVERYBODY_YET = Text(
    "任何地址：平台的列表还从未取到", "any address: the platform's list has never been fetched"
)
LISTED_AT = Text("平台的列表，{at} 取到", "the platform's list of {at}")
NOT_RUNNING = Text("没有在运行；用 relay run 启动", "nothing runs; `relay run` starts it")
ALIVE = Text("运行中", "alive")
SILENT = Text("无响应", "silent")
SINCE = Text("{since} 起，pid {pid}", "since {since}, pid {pid}")
NO_PLUGINS = Text("没有插件", "none")
ROLES = {
    "receiver": Text("接收", "receiver"),
    "router": Text("路由", "router"),
    "sender": Text("发送", "sender"),
    "console": Text("控制台", "console"),
}
PLUGIN_STATES = {
    "active": Text("启用", "active"),
    "disabled": Text("停用", "disabled"),
    "failed": Text("失败", "failed"),
    "parked": Text("搁置", "parked"),
}
OBSERVES = Text("只观察", "observes only")
OBSERVED = Text("只观察的规则", "Observed")
WOULD_LATELY = Text("最近一天本会做出 {count} 次处理", "would have acted {count} time{s} in the last day")
STATE_MEANINGS = {
    "queued": Text("等待轮到、节奏、延时或下次尝试", "waits for its turn, pace, delay or next attempt"),
    "sending": Text("请求在途", "the request is on its way"),
    "accepted": Text("平台已受理", "the platform took it"),
    "delivered": Text("受理后没有失败", "accepted, and no failure since"),
    "unknown": Text("可能已到达，等待回声", "may have arrived; waits for its echo"),
    "held": Text("等待人工决定", "stopped for an operator"),
    "failed": Text("被拒绝、次数用尽或失败事件", "refused, attempts used up, or a failure event"),
    "expired": Text("太迟，不再发送", "too late to be worth sending"),
    "discarded": Text("人工丢弃", "dropped by an operator"),
}

# --- check ---------------------------------------------------------------------------------------

PROBLEMS = Text("{path}：{count} 个问题", "{path}: {count} problem{s}")
FINE = Text("{path} 没有问题", "{path} is fine")
WARNING = Text("提醒", "warning")
CHATS = Text("会话名", "Chats")
NAMED = Text("{count} 个名字", "{count} named")
CALLBACKS = Text("回调", "Callbacks")
ANY_ADDRESS = Text("任何地址", "any address")
PLATFORM_LIST = Text(
    "平台的列表（第一次取到之前：任何地址）", "the platform's list (any address until it is first known)"
)
CONSOLE = Text("控制台", "Console")
OFF = Text("停用", "off")
DATABASE = Text("数据库", "Database")
LISTED = Text("启动时向平台查询", "listed at the platform when it starts")
SOME_OFF = Text("（{count} 停用）", " ({count} off)")

# --- sim and demo --------------------------------------------------------------------------------

SIMULATOR = Text("模拟器", "Simulator")
SIMULATOR_OPEN = Text(
    "在浏览器里打开，扮演客户说话。Ctrl-C 结束。",
    "Open it in a browser and type as a customer. Ctrl-C ends it.",
)
SIMULATOR_BOT = Text("让机器人连接它，在 bot.toml 里写：", "To connect a bot, write in its bot.toml:")
SIMULATOR_CALLBACK = Text(
    "回调地址可在页面上设置，或用 --callback-url。",
    "Set the callback URL on the page, or with --callback-url.",
)
SIMULATOR_PUSHES = Text("回调推送到 --callback-url 给出的地址。", "Callbacks go to the --callback-url given.")

FOLDER_TAKEN = Text("{folder} 里已有 bot.toml", "there is a bot.toml in {folder} already")
FOLDER_TAKEN_HINT = Text("给 --folder 一个空文件夹", "give --folder an empty folder")
FOLDER_BAD = Text("无法使用文件夹 {folder}：{reason}", "{folder} cannot be used: {reason}")
PREPARING = Text("准备文件夹", "preparing a folder")
STARTING_SIMULATOR = Text("启动模拟器", "starting the simulator")
STARTING_BOT = Text("启动机器人和控制台", "starting the bot and its console")
READY = Text("演示已就绪", "The demo is ready")
OPEN = Text("在浏览器打开", "Open in a browser")
DO = Text("然后", "Then")
DO_MIRROR = Text(
    "在「华东客户群」里说点什么：马上出现在另外两个客户群",
    'say something in "East Customers": it appears in the other two customer rooms at once',
)
DO_PRICE = Text("说「价格」：机器人自动回复", 'say "price": the bot answers')
DO_REFUND = Text(
    "说「退款」或「投诉」：机器人回复，并转到「内部服务群」",
    'say "refund" or "complaint": it answers, and forwards it to the "Service Team"',
)
PASSWORD = Text("密码", "Password")
LOOK = Text("在另一个终端里：", "In another terminal:")
FOLDER = Text("文件夹", "Folder")
KEPT = Text("（结束后保留）", " (kept at the end)")
REMOVED = Text("（结束后删除）", " (removed at the end)")
END = Text("Ctrl-C 结束", "Ctrl-C ends it")
ENDING = Text("正在结束…", "ending …")
ENDED = Text("已结束。", "Ended.")
DIED = Text("{name}意外退出（代码 {code}）", "the {name} ended unexpectedly (code {code})")
LATE = Text("{name}在 {seconds} 秒内没有就绪", "the {name} was not ready within {seconds} seconds")
LAST_LINES = Text("最后的输出：\n{lines}", "its last words:\n{lines}")
NO_WORDS = Text("没有任何输出", "it said nothing")
BOT = Text("机器人", "bot")
THE_SIMULATOR = Text("模拟器", "simulator")
PRICE = Text(
    "您好，最新报价：标准版 199 元/月，专业版 499 元/月。",
    "Hello! Standard is 29 a month, Professional 69.",
)
SERVICE = Text("非常抱歉给您带来不便，已转给客服，请稍候。", "We are sorry. Our service team has it now.")
