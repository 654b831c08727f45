"""A disk whose power can be cut: a file with ext4 on it, a copy of which has what was written to it so far.

What the kernel still keeps in memory for the mounted disk is not in the file. Nothing here may sync it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SYSTEM = ("/usr/sbin", "/sbin")  # where an ordinary user's PATH does not lead, root's not always either
TOOLS = ("mkfs.ext4", "mount", "umount", "losetup", "cp")
PATIENCE = 10.0  # seconds until the kernel leaves the disk alone for as long as copying it takes


def tool(name: str) -> str | None:
    """Where it is on this machine."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *SYSTEM)))


def run(name: str, *arguments: object) -> str:
    """What a tool says; raises `CalledProcessError` with it where that fails."""
    command = [tool(name) or name, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Disk:
    """A file and the folder where its content is to be seen."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.file = file
        self.folder = folder

    @classmethod
    def made(cls, file: Path, folder: Path, size: str) -> Disk:
        """An empty one."""
        run("truncate", "-s", size, file)
        run("mkfs.ext4", "-q", "-F", "-b", "4096", file)
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
        run("mount", "-o", "loop", self.file, self.folder)

    def unmount(self) -> None:
        """At once, whoever has files of it open."""
        run("umount", "-l", self.folder)

    def flush(self) -> None:
        """Have everything on it, which belongs to what comes before a test."""
        run("sync", "-f", self.folder)

    def cut(self, file: Path, folder: Path) -> Disk:
        """What a power cut would leave now; whoever writes to it must have been stopped.

        The kernel may write by itself meanwhile: a copy of which some is older than the rest is made again.
        """
        give_up_at = time.monotonic() + PATIENCE
        while time.monotonic() < give_up_at:
            before = self._written()
            run("cp", "--reflink=auto", "--sparse=always", self.file, file)
            if before is not None and self._written() == before:
                return Disk(file, folder)
        raise TimeoutError(f"{self.file.name} is written to all the time")

    def _written(self) -> list[str] | None:
        """How much was ever written to it; None while something is under way."""
        told = run("losetup", "-n", "-O", "NAME", "-j", self.file)
        stat = Path("/sys/block", Path(told.strip()).name, "stat").read_text().split()
        return stat[4:7] + stat[15:16] if stat[8] == "0" else None


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """One of 256 MB, mounted; skips where nobody may mount."""
    if missing := [name for name in TOOLS if tool(name) is None]:
        pytest.skip(f"a power cut needs {', '.join(missing)}")
    made = Disk.made(tmp_path / "disk.img", tmp_path / "disk", "256M")
    try:
        made.mount()
    except subprocess.CalledProcessError as exc:
        pytest.skip(f"a power cut needs a loop device, and the right to mount: {exc.stderr.strip()}")
    try:
        yield made
    finally:
        made.unmount()
        for file in tmp_path.glob("*.img"):
            file.unlink()
