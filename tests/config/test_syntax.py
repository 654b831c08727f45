"""A file that is not TOML: where reading stopped, what was meant, and no secret in the line that is shown."""

# ruff: noqa: E501 -- a complaint is told on one line, so it is written on one

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.config import load
from relay.errors import ConfigurationError, Problem
from relay.language import Language


def refused(folder: Path, text: str | bytes) -> tuple[Problem, Language | None]:
    path = folder / "bot.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigurationError) as caught:
        load(path, {})
    return caught.value.problems[0], caught.value.language


WRONG = [
    ("a = “zh”\n", "line 1, column 5: a value should stand here (this line has curly quotes: write straight ones, \" \")", "第 1 行第 5 列：这里应当是一个值（这一行有中文引号，请换成英文引号 \" \"）"),
    ("a ＝ 1", "line 1, column 3: there is no = after the key (write = instead of the full-width ＝)", "第 1 行第 3 列：键后面缺少 =（请把全角的「＝」换成半角的「=」）"),
    ("　a = 1", "line 1, column 1: a key or a [table] should stand here (this line has a full-width space: write an ordinary one)", "第 1 行第 1 列：这里应当是键或 [表名]（这一行有全角空格，请换成普通空格）"),
    ("a\u00a0= 1", "line 1, column 2: there is no = after the key (this line has the invisible character U+00A0: remove it)", "第 1 行第 2 列：键后面缺少 =（这一行有看不见的字符 U+00A0，请删掉）"),
    ('a = "zh\n', "line 1, column 8: a text has no closing quote (text stands between two \" in one line; between two \"\"\" where it has several lines)", "第 1 行第 8 列：文本缺少结束的引号（文本写在同一行的两个 \" 之间；多行文本用 \"\"\"）"),
    ("a = 10m", "line 1, column 7: something follows the value (text, durations and sizes stand in quotes, as in \"10m\")", "第 1 行第 7 列：值后面还有别的内容（文本、时长和大小要加引号，例如 \"10m\"）"),
    ("a 1", "line 1, column 3: there is no = after the key (write key = value, as in name = \"price\")", "第 1 行第 3 列：键后面缺少 =（写 键 = 值，例如 name = \"价格\"）"),
    ("a: 1", "line 1, column 2: there is no = after the key (write = instead of :)", "第 1 行第 2 列：键后面缺少 =（用 = 代替 :）"),
    ("a = True", "line 1, column 5: a value should stand here (there are true and false, in lower case)", "第 1 行第 5 列：这里应当是一个值（只有小写的 true 和 false）"),
    ("a =", "line 1, column 4: a value should stand here (after = a value is missing; an empty text is \"\")", "第 1 行第 4 列：这里应当是一个值（= 后面缺少值；空文本写 \"\"）"),
    ("// a", "line 1, column 1: a key or a [table] should stand here (a comment begins with #)", "第 1 行第 1 列：这里应当是键或 [表名]（注释以 # 开头）"),
    ("a = 08080", "line 1, column 6: something follows the value (a number does not begin with 0)", "第 1 行第 6 列：值后面还有别的内容（数字不能以 0 开头）"),
    ('a = ["x" "y"]', "line 1, column 10: a list lacks a , or its ] (it begins in line 1: a , between entries, a ] at the end)", "第 1 行第 10 列：列表缺少 , 或 ]（从第 1 行开始：各项之间用 ,，最后用 ]）"),
    ('a = [\n"x",\n[b]\n', "line 3, column 2: a value should stand here (it begins in line 1: a , between entries, a ] at the end)", "第 3 行第 2 列：这里应当是一个值（从第 1 行开始：各项之间用 ,，最后用 ]）"),
    ("a = {b = 1", "line 1, column 11: a {…} lacks a , or its } (write it in one line: {type = \"picture\", url = \"…\"})", "第 1 行第 11 列：{…} 里缺少 , 或 }（写在同一行：{type = \"picture\", url = \"…\"}）"),
    ('a = "C:\\path"', "line 1, column 10: a backslash is followed by the wrong character (write \\\\ for one backslash, or use single quotes ' ')", "第 1 行第 10 列：反斜杠后面的字符不对（写 \\\\ 表示一个反斜杠，或用单引号 ' '）"),
    ("[bot", "line 1, column 5: there is no ] after the table's name", "第 1 行第 5 列：表名后面缺少 ]"),
    ("[a]\n[b]\n[a]", "line 3, column 3: a is here a second time (line 1 has it as well: make one of the two)", "第 3 行第 3 列：表或键 a 写了两次（第 1 行已经有了，合成一个）"),
    ('[chats]\neast = "R:1"\n\neast = "R:2"', "line 4, column 1: the key east is here a second time (line 2 has it as well: make one of the two)", "第 4 行第 1 列：键 east 写了两次（第 2 行已经有了，合成一个）"),
    ('a = "x\0y"', "line 1, column 7: the character U+0000 must not stand here (it is an invisible control character: retype this part)", "第 1 行第 7 列：这里不能有字符 U+0000（这是看不见的控制字符，删掉后重新输入）"),
    ("a = " + "9" * 5_000, "is not TOML", "不是 TOML"),
    ("a" + ".a" * 200 + " = 1", "is nested too deeply", "嵌套太深"),
    ("a = " + "[" * 400 + "]" * 400, "is nested too deeply", "嵌套太深"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "english", "chinese"), WRONG, ids=[repr(row[0])[:30] for row in WRONG])
def test_a_mistake_in_the_syntax_is_told_in_these_words(
    tmp_path: Path, text: str, english: str, chinese: str
) -> None:
    problem, _ = refused(tmp_path, text)
    assert (problem.told("en"), problem.told("zh")) == (f"bot.toml: {english}", f"bot.toml：{chinese}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("app_secret = hunter2", "app_secret = ***"),
        ('app_secret "hunter2"', "app_secret ***"),
        ("app_sceret = “hunter2”", "app_sceret = ***"),
        ('x = {password = "hunter2", y = "a}', "x = ***"),
        ('app_secret = """\nhunter2\\q"""', "***"),
        ('url = "postgresql://bot:hunter2@host/db', "url = ***"),
        ("timezone = Asia/Shanghai", "timezone = Asia/Shanghai"),
    ],
)
def test_the_line_is_shown_without_its_secrets(tmp_path: Path, text: str, shown: str) -> None:
    problem, _ = refused(tmp_path, text)
    assert problem.excerpt is not None
    assert problem.excerpt.text == shown
    assert problem.excerpt.column <= len(shown) + 1
    assert "hunter2" not in repr(problem)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ('[bot]\nlanguage = "zh"\n[x', "zh"),
        ('[x]\n[bot]\ntimezone = 1\nlanguage = "en" # ours\nx = “”', "en"),
        ('[bot]\nlanguage = “zh”', "zh"),
        ('[bot]\n[other]\nlanguage = "zh"\n[x', None),
        ("[x", None),
        ('[bot]\nlanguage = "zh"\nx = "价格"'.encode("gbk"), "zh"),
    ],
)  # fmt: skip
def test_the_language_is_found_even_where_the_rest_is_broken(
    tmp_path: Path, text: str | bytes, language: Language | None
) -> None:
    assert refused(tmp_path, text)[1] == language


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('x = "价格"'.encode("gbk"), "line 1 is not UTF-8 (byte 5) (it looks like GBK (ANSI): save it as UTF-8 in the editor)"),
        ("a = 1".encode("utf-16"), "is UTF-16, not UTF-8 (save the file as UTF-8)"),
        (b"a = \xff", "line 1 is not UTF-8 (byte 4) (save the file as UTF-8)"),
        (b"\xff\0\x01", "has NUL bytes in it, so it is no text file"),
        (b"#" * (16 * 1024 * 1024 + 1), "is larger than 16 MB"),
    ],
    ids=["gbk", "utf-16", "bad", "binary", "large"],
)  # fmt: skip
def test_what_is_no_text_is_told(tmp_path: Path, text: bytes, message: str) -> None:
    assert str(refused(tmp_path, text)[0]) == f"{tmp_path / 'bot.toml'}: {message}"


def test_a_link_that_leads_to_itself_is_told(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ConfigurationError, match="symbolic link that leads back to itself"):
        load(tmp_path / "loop", {})


PIECES = st.sampled_from(
    ["[", "]", "[[", "]]", "{", "}", "=", '"', "'", '"""', "\n", ",", ".", "#", "\\", "\\u", " ", "1", "a", "bot",
     "language", "zh", "chats", "plugins", "rules", "app_secret", "true", "07:00", "2020-01-01", "“", "，", "\0", "${",
     "${A}", "}", "inf", "_", "-"]
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join))
def test_no_text_raises_anything_but_a_configuration_error(tmp_path: Path, text: str) -> None:
    problem, _ = refused(tmp_path, text.encode("utf-8", "surrogatepass"))
    assert problem.told("zh")
    assert problem.told("en")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_configuration_error(tmp_path: Path, data: bytes) -> None:
    assert refused(tmp_path, data)[0].told("zh")
