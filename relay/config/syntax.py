"""What is wrong with a file that is not TOML, and what its author most likely meant."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from relay.config import syntax_texts as texts
from relay.config.problems import MASK, PASSWORD_IN_URL, SECRET_PATHS, SECRET_WORDS, key_path, nearest
from relay.errors import Excerpt, Problem
from relay.language import Language, Said, Text

POSITION = re.compile(
    r"(?P<message>.*?) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL
)
LANGUAGE = re.compile(
    r"""^[ \t]*(?:\[[ \t]*bot[ \t]*\][^\[]*?^[ \t]*|bot\.)language[ \t]*=[ \t]*["'“”](zh|en)["'“”]""",
    re.MULTILINE,
)
KEY = re.compile(r"""\s*(?P<key>[^\s=＝:：#\[{"']+|"[^"]*"|'[^']*')\s*[=＝:：]""")
HEADER = re.compile(r"\s*\[")
QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'[^']*'""")
CURLY = re.compile("[“”„‟‘’‚‛＂＇「」『』]")
WIDE = re.compile("[，＝：［］【】｛｝；＃、。　]")
NARROW = dict(zip("，＝：［］【】｛｝；＃、。　", ",=:[][]{};#,. ", strict=True))
INVISIBLE = re.compile("[\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060\ufeff]")
LONGEST = 64
SECRET_NAMES = tuple(path.rpartition(".")[2] for path in SECRET_PATHS)

REASONS = (
    (r"(?:Illegal|Found invalid) character '\\n'|Unterminated string|Expected .*", texts.UNCLOSED),
    (r"(?:Illegal|Found invalid) character (?P<sign>.+)", texts.CONTROL),
    (r"Invalid value", texts.NO_VALUE),
    (r"Invalid statement|Invalid initial character for a key part", texts.NO_KEY),
    (r"Cannot overwrite a value|Duplicate inline table key .*", texts.KEY_TWICE),
    (r"Cannot (?:declare|mutate|redefine)[a-z ]* (?P<table>\(.*?\)).*", texts.TABLE_TWICE),
    (r"Unclosed array", texts.ARRAY),
    (r"Unclosed inline table", texts.INLINE),
    (r"Unescaped .*|Invalid hex value|Escaped character .*", texts.BACKSLASH),
    (r"Invalid date or datetime", texts.NO_DATE),
)  # fmt: skip
FIRST = (
    (r"Expected '=' after .*", texts.EQUALS),
    (r"Expected newline .*", texts.TRAILING),
    (r"Expected ('\]+') at the end .*", texts.BRACKET),
)
"""tomllib's words and ours; the first that fits counts."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading stopped; line and column count from 1."""

    lines: Sequence[str]
    line: int
    column: int

    @property
    def here(self) -> str:
        """The line itself."""
        return self.lines[self.line - 1]

    @property
    def rest(self) -> str:
        """What follows in the line."""
        return self.here[self.column - 1 :]

    def key_line(self) -> int:
        """The line whose value this is: this one, or the nearest before it that begins with a key."""
        numbers = range(self.line, 0, -1)
        return next((n for n in numbers if KEY.match(self.lines[n - 1])), self.line)


def language_in(text: str) -> Language | None:
    """What a file that cannot be read as a whole says about bot.language."""
    found = LANGUAGE.search(text)
    return next((language for language in get_args(Language) if found and language == found[1]), None)


def not_toml(name: str, text: str, complaint: str) -> Problem:
    """The problem of a file that tomllib stumbled over; `complaint` is what that said."""
    found = POSITION.fullmatch(complaint)
    if found is None:
        return Problem(name, texts.NOT_TOML)
    lines = text.split("\n")
    place = _end(lines) if found["line"] is None else Place(lines, int(found["line"]), int(found["column"]))
    reason, values = _reason(found["message"])
    if reason is texts.KEY_TWICE and HEADER.match(place.here):
        reason, values = texts.TABLE_TWICE, {"table": place.here.partition("#")[0].strip(" []\t")}
    if reason is texts.KEY_TWICE or (reason is texts.UNCLOSED and found["line"] is None):
        place = Place(lines, place.key_line(), 1)
    values = _names(reason, place) | values
    what = texts.AT.filled(line=place.line, column=place.column, what=reason.filled(**values))
    message = what._replace(code=reason.code)
    return Problem(name, message, hint=_hint(reason, place), excerpt=_excerpt(place))


def _end(lines: Sequence[str]) -> Place:
    last = max((number for number, line in enumerate(lines, 1) if line.strip()), default=1)
    return Place(lines, last, len(lines[last - 1]) + 1)


def _reason(said: str) -> tuple[Text, dict[str, object]]:
    for pattern, text in (*FIRST, *REASONS):
        found = re.fullmatch(pattern, said, re.DOTALL)
        if found is None:
            continue
        if text is texts.BRACKET:
            return text, {"bracket": found[1].strip("'")}
        if text is texts.CONTROL:
            return text, {"sign": f"U+{ord(ast.literal_eval(found['sign'])):04X}"}
        if text is texts.KEY_TWICE and said.startswith("Duplicate"):
            return text, {"key": ast.literal_eval(said.partition(" key ")[2])}
        if text is texts.TABLE_TWICE:
            return text, {"table": key_path(ast.literal_eval(found["table"]))}
        return text, {}
    return texts.NOT_TOML_HERE, {}


def _names(reason: Text, place: Place) -> dict[str, object]:
    """The key that a complaint is about, where its words name one."""
    if reason is not texts.KEY_TWICE:
        return {}
    found = KEY.match(place.here)
    return {"key": found["key"] if found else "…"}


# --- hints ---------------------------------------------------------------------------------------


def _hint(reason: Text, place: Place) -> Said | Text | None:
    bare = QUOTED.sub('""', place.here)
    if CURLY.search(bare):
        return texts.CURLY_HINT
    if wide := WIDE.search(bare):
        space = wide[0] == "　"
        return texts.SPACE_HINT if space else texts.WIDE_HINT.filled(narrow=NARROW[wide[0]], wide=wide[0])
    if hidden := INVISIBLE.search(bare):
        return texts.INVISIBLE_HINT.filled(sign=f"U+{ord(hidden[0]):04X}")
    if re.match(r"\s*(//|;|--|/\*)", bare) or re.match(r"\s*(//|;)", place.rest):
        return texts.COMMENT_HINT
    return next(_hints_for(reason, place, bare), None)


def _hints_for(reason: Text, place: Place, bare: str) -> Iterator[Said | Text]:
    if reason in (texts.KEY_TWICE, texts.TABLE_TWICE):
        first = _first(place, table=reason is texts.TABLE_TWICE)
        yield texts.FIRST_HINT.filled(line=first) if first else texts.ONCE_HINT
    elif reason is texts.EQUALS:
        yield texts.COLON_HINT if re.match(r"\s*:", place.rest) else texts.EQUALS_HINT
    elif reason is texts.NO_VALUE and HEADER.match(place.here) and place.key_line() < place.line:
        yield texts.ARRAY_HINT.filled(line=place.key_line())
    elif reason is texts.NO_VALUE:
        yield _value_hint(place.rest.strip())
    elif reason is texts.NO_KEY and place.rest and not place.rest[0].isprintable():
        yield texts.CONTROL_HINT
    elif reason in (texts.TRAILING, texts.NO_DATE):
        yield texts.ZERO_HINT if re.search(r"=\s*[+-]?0\d+\s*$", bare) else texts.QUOTES_HINT
    elif reason is texts.ARRAY:
        yield texts.ARRAY_HINT.filled(line=place.key_line())
    elif reason in HINTS:
        yield HINTS[reason]


HINTS = {
    texts.UNCLOSED: texts.UNCLOSED_HINT,
    texts.INLINE: texts.INLINE_HINT,
    texts.BACKSLASH: texts.BACKSLASH_HINT,
    texts.NO_KEY: texts.EQUALS_HINT,
    texts.CONTROL: texts.CONTROL_HINT,
}


def _value_hint(value: str) -> Text:
    word = re.match(r"\w*", value)
    folded = word[0].casefold() if word else ""
    if folded in ("true", "false", "yes", "no", "on", "off", "none", "null", "nil"):
        return texts.BOOLEAN_HINT
    return texts.MISSING_HINT if not value or value.startswith("#") else texts.QUOTES_HINT


def _first(place: Place, *, table: bool) -> int | None:
    """The line that has the same header, or, within the same table, the same key."""
    wanted = place.here.partition("#")[0].strip() if table else _key_in(place.here)
    for number in range(place.line - 1, 0, -1):
        line = place.lines[number - 1]
        if not table and HEADER.match(line):
            return None
        if wanted == (line.partition("#")[0].strip() if table else _key_in(line)):
            return number
    return None


def _key_in(line: str) -> str | None:
    found = KEY.match(line)
    return found["key"].strip("\"'") if found else None


# --- the line, without its secrets ---------------------------------------------------------------


def _excerpt(place: Place) -> Excerpt:
    open_until = _shown_until(place)
    text, column = place.here, place.column
    if open_until < len(text.rstrip()):
        text, column = text[:open_until] + MASK, min(column, open_until + 1)
    start = max(0, column - LONGEST // 2) if len(text) > LONGEST else 0
    cut = text[start : start + LONGEST].rstrip()
    cut = ("…" if start else "") + cut + ("…" if len(text.rstrip()) > start + LONGEST else "")
    return Excerpt(place.line, column - start + bool(start), "".join(map(_harmless, cut)))


def _harmless(letter: str) -> str:
    if letter == "\t":
        return " "
    return letter if letter.isprintable() or letter == "　" else "\ufffd"


def _shown_until(place: Place) -> int:
    """How much of the line may be shown; a secret's key is known by its name, even where it is misspelt."""
    begun = place.key_line()
    owner = KEY.match(place.lines[begun - 1])
    suspect = place.here if begun == place.line else place.lines[begun - 1] + place.here
    if not (_speaks_of_secrets(suspect) or (owner and nearest(owner["key"], SECRET_NAMES))):
        return len(place.here)
    if begun < place.line:
        return 0
    if owner:
        return owner.end() + (place.here[owner.end() : owner.end() + 1] == " ")
    word = re.match(r"\s*[\w.-]*\s?", place.here)
    return word.end() if word and _speaks_of_secrets(word[0]) else 0


def _speaks_of_secrets(text: str) -> bool:
    return bool(SECRET_WORDS.search(text) or PASSWORD_IN_URL.search(text))
