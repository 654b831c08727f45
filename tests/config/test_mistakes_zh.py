"""The mistakes of `test_mistakes`, in the words that Chinese operators read."""

# ruff: noqa: E501 -- a complaint is told on one line, so it is written on one

from __future__ import annotations

import pytest
from config.conftest import Read
from config.test_mistakes import WRONG

from relay.errors import ConfigurationError

TOLD = [
    ('server', 'port = "8080"', 'server.port = "8080"：应为整数，却是文本（默认：8080）'),
    ('server', 'port = true', 'server.port = true：应为整数，却是真假值（true 或 false）（默认：8080）'),
    ('server', 'allow_plaintext = 1', 'server.allow_plaintext = 1：应为真假值（true 或 false），却是整数（默认：false）'),
    ('delivery', 'max_attempts = 1.5', 'delivery.max_attempts = 1.5：应为整数，却是小数（默认：8）'),
    ('platform', 'accounts = "1688"', 'platform.accounts = "1688"：应为列表，却是文本（默认：[]）'),
    ('platform', 'accounts = ["a", 7]', 'platform.accounts[1] = 7：应为文本，却是整数'),
    ('delivery', 'min_interval = 5', 'delivery.min_interval = 5：应为时长，却是整数（写 "500ms"、"5s"、"10m"、"2h" 或 "30d"；默认："0s"）'),
    ('server', 'prot = 1', 'server.prot = 1：没有这个键（是不是想写 `port`？）'),
    ('server', 'per_minute = 1', 'server.per_minute = 1：没有这个键（它属于 [delivery]）'),
    ('bot', 'zzz = 1', 'bot.zzz = 1：没有这个键（这里可以写：timezone, language）'),
    ('consol', 'port = 1', 'consol：没有这个表（是不是想写 `console`？）'),
    ('plugins', 'ordr = []', 'plugins.ordr = []：没有这个键（是不是想写 `order`？）'),
    ('server', 'port = 65536', 'server.port = 65536：不能大于 65535（默认：8080）'),
    ('server', 'port = -1', 'server.port = -1：不能小于 0（默认：8080）'),
    ('delivery', 'per_minute = 501', 'delivery.per_minute = 501：不能大于 500（平台每分钟最多接受 500 条；默认：450）'),
    ('delivery', 'per_minute = 0', 'delivery.per_minute = 0：不能小于 1（平台每分钟最多接受 500 条；默认：450）'),
    ('delivery', 'jitter = 1.1', 'delivery.jitter = 1.1：不能大于 1.0（默认：0.0）'),
    ('delivery', 'jitter = nan', 'delivery.jitter = nan：必须是有限的数（默认：0.0）'),
    ('delivery', 'max_attempts = 0', 'delivery.max_attempts = 0：不能小于 1（默认：8）'),
    ('delivery', 'forward_batch = 0', 'delivery.forward_batch = 0：不能小于 1（默认：20）'),
    ('delivery', 'send_batch = 6', 'delivery.send_batch = 6：不能大于 5（平台的 sendMessage 一次接受 1 到 5 条；默认：1）'),
    ('delivery', 'expire_after = "0s"', 'delivery.expire_after = "0s"：必须大于 0s（默认："30m"）'),
    ('plugins', 'memory_limit = "64MB"', 'plugins.memory_limit = "64MB"：必须至少 256MB，或 "0B"（不限）（默认："1GB"）'),
    ('bot', 'language = "fr"', 'bot.language = "fr"：必须是 "zh" 或 "en"（默认："zh"）'),
    ('bot', 'timezone = "Asia/Shangai"', 'bot.timezone = "Asia/Shangai"：不是时区（是不是想写 `Asia/Shanghai`？默认："Asia/Shanghai"）'),
    ('bot', 'timezone = "../etc"', 'bot.timezone = "../etc"：不是时区（写 IANA 名称，例如 "Asia/Shanghai"；默认："Asia/Shanghai"）'),
    ('delivery', 'min_interval = "5 s"', 'delivery.min_interval = "5 s"：不是时长（写 "500ms"、"5s"、"10m"、"2h" 或 "30d"；默认："0s"）'),
    ('delivery', 'min_interval = "9999d"', 'delivery.min_interval = "9999d"：不能大于 3650d（默认："0s"）'),
    ('server', 'max_body = "8 MB"', 'server.max_body = "8 MB"：不是大小（写 "64KB"、"8MB" 或 "1GB"；默认："8MB"）'),
    ('server', 'host = "a b"', 'server.host = "a b"：不是地址或主机名（写 "127.0.0.1"；要监听所有网卡写 "0.0.0.0"；默认："127.0.0.1"）'),
    ('server', 'trusted_proxies = ["10.0.0.1/8"]', 'server.trusted_proxies[0] = "10.0.0.1/8"：不是地址或网段（写 "203.0.113.7" 或 "203.0.113.0/24"，主机位须为零）'),
    ('platform', 'base_url = "ftp://host"', 'platform.base_url = "ftp://host"：不是 http 或 https 地址（写 "https://oapi-yzj.miaokol.com"，或 "http://<绑定的域名>/oapi"；默认："https://oapi-yzj.miaokol.com"）'),
    ('platform', 'base_url = "https://u:p@host"', 'platform.base_url = "https://u:***@host"：不是 http 或 https 地址（写 "https://oapi-yzj.miaokol.com"，或 "http://<绑定的域名>/oapi"；默认："https://oapi-yzj.miaokol.com"）'),
    ('storage', 'url = "relay.db"', 'storage.url = "relay.db"：不是数据库文件的地址（写 "sqlite:///relay.db"（在 bot.toml 旁边）或 "sqlite:////var/lib/relay/relay.db"；默认："sqlite:///relay.db"）'),
    ('storage', 'url = "sqlite:///:memory:"', 'storage.url = "sqlite:///:memory:"：不是数据库文件的地址（写 "sqlite:///relay.db"（在 bot.toml 旁边）或 "sqlite:////var/lib/relay/relay.db"；默认："sqlite:///relay.db"）'),
    ('plugins', 'order = ["a", "a"]', 'plugins.order = ["a", "a"]：把 a 写了两次（每个插件只写一次；默认：["group_mirror", "keyword_reply"]）'),
    ('plugins.greeter', 'timeout = "soon"', 'plugins.greeter.timeout = "soon"：不是时长（写 "500ms"、"5s"、"10m"、"2h" 或 "30d"）'),
    ('server', 'port = 8081', 'console.port = 8081：和 server.port 相同（两扇门要各用一个端口；默认：8081）'),
    ('console', 'metrics_token = "correct horse"', 'console.metrics_token = ***：和 console.password 相同（另写一个令牌：能看指标的人不应该能登录）'),
    ('delivery', 'resolve_within = "30m"', 'delivery.resolve_within = "30m"：必须比 delivery.expire_after 短（否则还不知道结果，投递就过期了；默认："30s"）'),
    ('delivery', 'min_interval = "1h"', 'delivery.min_interval = "1h"：必须比 delivery.expire_after 短（否则每两条消息就有一条等到过期；默认："0s"）'),
    ('storage', 'remember = "30m"', 'storage.remember = "30m"：必须比 delivery.expire_after 长（否则消息还可能发出时就已被忘记；默认："180d"）'),
    ('storage', 'remember = "29d"', 'storage.remember = "29d"：不能比 storage.retain 短（否则消息还在，它的 id 已被忘记；默认："180d"）'),
    ('storage', 'retain = "23h"', 'storage.retain = "23h"：必须至少 1d（我们发出的消息在一天内还可能作为回声回来；默认："30d"）'),
    ('storage', 'url = "postgresql://bot:p@ss@host/db"', 'storage.url = "postgresql://bot:***@host/db"：这个版本还不支持 PostgreSQL（写 "sqlite:///relay.db"；默认："sqlite:///relay.db"）'),
    ('server', 'trusted_proxies = ["platform"]', 'server.trusted_proxies[0] = "platform"：不是地址或网段（写 "203.0.113.7" 或 "203.0.113.0/24"，主机位须为零）'),
]  # fmt: skip


@pytest.mark.parametrize(("table", "line", "complaint"), TOLD)
def test_a_mistake_is_told_in_these_words_in_chinese(
    read: Read, table: str, line: str, complaint: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(**{table: line})
    assert [problem.told("zh") for problem in caught.value.problems] == [complaint]


def test_a_callback_path_that_ends_in_a_slash_is_refused_in_chinese(read: Read) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(server='callback_path = "/callback/"')
    assert [problem.told("zh") for problem in caught.value.problems] == [
        'server.callback_path = ***：不能以 / 结尾（写 "/callback/${RELAY_CALLBACK_SECRET}"）'
    ]


def test_a_variable_that_is_empty_in_a_required_key_is_named_in_chinese(read: Read) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read({"C": ""}, server='callback_path = "/callback/${C}"')
    assert [problem.told("zh") for problem in caught.value.problems] == [
        "server.callback_path：环境变量 C 已设置，但是空的（在 .env 或环境里填好 C）"
    ]


def test_every_mistake_that_is_told_in_english_is_told_in_chinese() -> None:
    assert [row[:2] for row in TOLD] == [row[:2] for row in WRONG]
