"""Reading a TOML file that somebody wrote, with its mistakes as one line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from derainbench.errors import UserError, one_line


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The content of a file. :class:`UserError` where it cannot be read or is not TOML; ``what`` it is: ``card``."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{what} {path} cannot be read ({error.strerror}); check the path") from error
    except (ValueError, RecursionError) as error:  # numbers of 5,000 digits and "[" by the thousand, too
        raise UserError(f"{what} {path} is not TOML ({one_line(error)}); mend it") from error
