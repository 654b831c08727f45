"""Loads structlog without rich: each role would hold 3 MB and start later for tracebacks in colour."""

import sys
from importlib import import_module

if "structlog" not in sys.modules and "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment] # as Python itself says that there is none
    try:
        import_module("structlog")
    finally:
        del sys.modules["rich"]  # commands print their tables with it
