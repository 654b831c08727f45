"""Let atheris make up bodies for the receive path: `PYTHONPATH=tests python -m fuzz`.

Runs for FUZZ_SECONDS (3600). Corpus and findings are under FUZZ_FOLDER (build/fuzz); what it finds goes into
tests/fuzz/findings, where the tests read it from then on.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

SECONDS = int(os.environ.get("FUZZ_SECONDS", "3600"))
FOLDER = Path(os.environ.get("FUZZ_FOLDER", "build/fuzz"))
SLICE = 600  # seconds after which a new process goes on
SLOW = 20  # seconds for one input, at which it is a finding
MOST_BYTES = 16_384
MOST_MEMORY = 1500  # MB


def main() -> int:
    """Slice after slice, also after an input that ended one; 1 where anything was found."""
    end = time.monotonic() + SECONDS
    while (left := int(end - time.monotonic())) > 0:
        command = [sys.executable, "-m", "fuzz", str(min(left, SLICE))]
        if code := subprocess.run(command, check=False).returncode:
            print(f"fuzz: it ended with {code}, and {left} s were left", flush=True)
            time.sleep(1)
    found = sorted(path for path in (FOLDER / "findings").iterdir() if path.is_file())
    for path in found:
        print(f"fuzz: found {path}")
    return 1 if found else 0


def fuzz(seconds: int) -> None:
    """Never returns: libFuzzer ends the process."""
    atheris = importlib.import_module("atheris")  # not by name: type checkers need not have it
    with atheris.instrument_imports(include=["relay"]):
        from fuzz import reading, seeds

    findings, corpus = FOLDER / "findings", FOLDER / "corpus"
    for folder in (findings, corpus):
        folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds.seeds(MOST_BYTES):
        (corpus / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    words = FOLDER / "words"
    words.write_text(seeds.words(), "utf-8")
    receiving = reading.Receiving()
    options = [
        *(sys.argv[0], f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", f"-timeout={SLOW}"),
        *(
            f"-rss_limit_mb={MOST_MEMORY}",
            f"-dict={words}",
            f"-artifact_prefix={findings}/",
            "-close_fd_mask=0",
        ),
        str(corpus),
    ]
    atheris.Setup(options, keeping(lambda data: reading.read(receiving, data), findings))
    atheris.Fuzz()


def keeping(check: Callable[[bytes], None], findings: Path) -> Callable[[bytes], None]:
    """Keep what fails, one input for each place in the code, and go on."""

    def one(data: bytes) -> None:
        try:
            check(data)
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is a finding
            frame = traceback.extract_tb(exc.__traceback__)[-1]
            kept = findings / f"{type(exc).__name__}-{Path(frame.filename).stem}-{frame.lineno}"
            if not kept.exists() or kept.stat().st_size > len(data):
                kept.write_bytes(data)
                print(f"fuzz: {kept.name}: {exc!r:.300}", flush=True)

    return one


if __name__ == "__main__":
    if len(sys.argv) > 1:
        fuzz(int(sys.argv[1]))
    sys.exit(main())
