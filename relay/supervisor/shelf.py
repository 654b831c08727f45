"""Files as they were at some time, in a file without a name, for whoever is given its descriptor."""

from __future__ import annotations

import json
import os
import tempfile

from relay.config import Files


def shelved(files: Files) -> int:
    """A descriptor of a file without a name that holds these files."""
    text = json.dumps({name: held.decode("latin-1") for name, held in files.items()}).encode()
    if hasattr(os, "memfd_create"):
        shelf = os.memfd_create("relay-configuration")
    else:
        with tempfile.TemporaryFile() as file:
            shelf = os.dup(file.fileno())
    view = memoryview(text)
    while view:  # 2 GB are the most that one call takes, and a signal may cut it short
        view = view[os.write(shelf, view) :]
    return shelf
