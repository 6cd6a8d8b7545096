"""Tells how far the bench is."""

import sys
import time


def say(text: str) -> None:
    """Writes a line to stderr, with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
