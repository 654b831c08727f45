"""Answer from a table: two columns, question and answer, in a CSV file that anybody can edit."""

import csv
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel

from relay import Context, Keywords, Literals, Message, Plugin, Reply, normalise


class Settings(BaseModel):
    """[plugins.faq] in bot.toml."""

    file: Path  # UTF-8; several words for one question are separated by |
    choices: int = 3  # so many questions are offered where several fit


plugin = Plugin("faq", settings=Settings)
Table = tuple[list[tuple[str, str]], Keywords]


@lru_cache(maxsize=4)
def read(file: Path, changed: int, size: int) -> Table:
    """The table as it is now: a file that has changed is another one."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = [(row[0].strip(), row[1].strip()) for row in csv.reader(lines) if len(row) > 1]
    rows = [row for row in rows if all(row)]
    words = [
        Literals(contains=[w for part in q.split("|") if (w := normalise(part).strip())]) for q, _ in rows
    ]
    return rows, Keywords(words)


@plugin.on_message(types=["text"])
def answer(message: Message, ctx: Context) -> Reply | None:
    file = ctx.settings.file
    try:
        now = file.stat()
        rows, keywords = read(file, now.st_mtime_ns, now.st_size)
    except (OSError, ValueError, csv.Error) as exc:
        ctx.log.warning("faq_not_read", reason=type(exc).__name__)
        return None
    found = [rows[number] for number in sorted(keywords.matching(message.text))]
    if len(found) == 1:
        return Reply(found[0][1])
    offered = [question.partition("|")[0] for question, _ in found[: ctx.settings.choices]]
    return Reply("您想问的是？\n" + "\n".join(f"· {each}" for each in offered)) if offered else None
