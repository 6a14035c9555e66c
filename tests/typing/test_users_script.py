"""What is checked by mypy runs as well."""

from __future__ import annotations

import subprocess
import sys

from tests.typing import users_script


def test_users_script_runs() -> None:
    """As a script, whose functions travel by value."""
    subprocess.run([sys.executable, users_script.__file__], check=True, timeout=40)
