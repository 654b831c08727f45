"""How fast it is, side by side with doing the same by hand: every benchmark, one after the other.

    python -m benchmarks [--quick] [--json FILE] [SUBJECT…]

Prints what was expected beside what was measured, and writes all figures with their rounds to
benchmarks/results.json. Exit 1 where an expectation is not kept.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path

import uvloop

from benchmarks import accepts, answers, matching, memory, rules, starting, stored, whole_way
from benchmarks.harness import FULL, QUICK, Figure, Measure, measured, options, show
from relay import __version__

SUBJECTS: dict[str, tuple[str, Measure]] = {
    "accepts": ("Accepting", accepts.measure),
    "whole_way": ("End to end", whole_way.measure),
    "answers": ("Answer times", answers.measure),
    "stored": ("A long past", stored.measure),
    "rules": ("Many rules", rules.measure),
    "matching": ("Matching alone", matching.figures),
    "memory": ("Memory", memory.measure),
    "starting": ("Starting", starting.measure),
}
RESULTS = Path(__file__).with_name("results.json")


def main() -> int:
    """Measure, print, write."""
    parser = options(__doc__)
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the figures go")
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=", ".join(SUBJECTS))
    told = parser.parse_args()
    if unknown := set(told.subjects) - SUBJECTS.keys():
        parser.error(f"no such subject: {', '.join(sorted(unknown))}")
    scale = QUICK if told.quick else FULL
    found: dict[str, list[Figure]] = {}
    for name, (title, measure) in SUBJECTS.items():
        if told.subjects and name not in told.subjects:
            continue
        began = time.monotonic()
        found[name] = uvloop.run(measured(measure, scale))
        print(f"\n{title} ({time.monotonic() - began:.0f} s)")
        show(found[name])
        sys.stdout.flush()
    _write(told.json, found)
    return 0 if all(figure.kept for figures in found.values() for figure in figures) else 1


def _write(path: Path, found: dict[str, list[Figure]]) -> None:
    machine: dict[str, object] = {
        "relay": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
    }
    if hasattr(os, "getloadavg"):
        machine["load_at_the_end"] = os.getloadavg()[0]
    figures = {name: [asdict(figure) for figure in several] for name, several in found.items()}
    path.write_text(
        json.dumps({"machine": machine, "figures": figures}, ensure_ascii=False, indent=1), "utf-8"
    )
    print(f"\nwritten to {path}")


if __name__ == "__main__":
    sys.exit(main())
