"""A disk whose power can be cut: a file with ext4 on it, a copy of which has what was written to it so far.

What the kernel still keeps in memory for the mounted disk is not in the file. Nothing here may sync it.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

TOOLS = ("mkfs.ext4", "mount", "umount", "losetup", "cp")
PATIENCE = 10.0  # seconds until the kernel leaves the disk alone for as long as copying it takes


class Disk:
    """A file and the folder where its content is to be seen."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.file = file
        self.folder = folder

    @classmethod
    def made(cls, file: Path, folder: Path, size: str) -> Disk:
        """An empty one."""
        subprocess.run(["truncate", "-s", size, file], check=True)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-b", "4096", file], check=True)
        return cls(file, folder)

    @contextlib.contextmanager
    def mounted(self) -> Iterator[Path]:
        """Its content; what is found in the file system's journal is done first, as after a power cut."""
        self.mount()
        try:
            yield self.folder
        finally:
            self.unmount()

    def mount(self) -> None:
        self.folder.mkdir(exist_ok=True)
        subprocess.run(["mount", "-o", "loop", self.file, self.folder], check=True, capture_output=True)

    def unmount(self) -> None:
        """At once, whoever has files of it open."""
        subprocess.run(["umount", "-l", self.folder], check=True)

    def flush(self) -> None:
        """Have everything on it, which belongs to what comes before a test."""
        subprocess.run(["sync", "-f", self.folder], check=True)

    def cut(self, file: Path, folder: Path) -> Disk:
        """What a power cut would leave now; whoever writes to it must have been stopped.

        The kernel may write by itself meanwhile: a copy of which some is older than the rest is made again.
        """
        give_up_at = time.monotonic() + PATIENCE
        while time.monotonic() < give_up_at:
            before = self._written()
            subprocess.run(["cp", "--reflink=auto", "--sparse=always", self.file, file], check=True)
            if before is not None and self._written() == before:
                return Disk(file, folder)
        raise TimeoutError(f"{self.file.name} is written to all the time")

    def _written(self) -> list[str] | None:
        """How much was ever written to it; None while something is under way."""
        told = subprocess.run(
            ["losetup", "-n", "-O", "NAME", "-j", self.file], check=True, capture_output=True, text=True
        )
        stat = Path("/sys/block", Path(told.stdout.strip()).name, "stat").read_text().split()
        return stat[4:7] + stat[15:16] if stat[8] == "0" else None


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """One of 256 MB, mounted; skips where nobody may mount."""
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        pytest.skip(f"a power cut needs {', '.join(missing)}")
    made = Disk.made(tmp_path / "disk.img", tmp_path / "disk", "256M")
    try:
        made.mount()
    except subprocess.CalledProcessError as exc:
        pytest.skip(f"a power cut needs a loop device, and the right to mount: {exc.stderr.decode().strip()}")
    try:
        yield made
    finally:
        made.unmount()
        for file in tmp_path.glob("*.img"):
            file.unlink()
