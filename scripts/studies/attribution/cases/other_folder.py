"""FastAPI: the same module lies in another folder."""

import os
import sys
from importlib import import_module
from pathlib import Path

from fastapi import FastAPI

app = FastAPI()
folder = Path(__file__).parent / f"lib_{os.environ['SIDE']}"
folder.mkdir(exist_ok=True)
(folder / "work.py").write_text(
    "def work():\n    return sum(n * n % 7 for n in range(20_000))\n"
)
sys.path.insert(0, str(folder))
work = import_module("work").work


@app.get("/")
async def root() -> int:
    """Answer."""
    return int(work())
