"""Read one YAML file of params; what is wrong with it is said with the file's name."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rally_etl.errors import UsageError


def read_mapping(path: Path) -> dict:
    """Read the mapping that *path* holds; an empty file is an empty mapping.

    Raises:
        UsageError: the file cannot be read, is no YAML, has a key twice, or holds no mapping.
    """
    try:
        seen = path.stat()
        content = deepcopy(_parsed(path, seen.st_mtime_ns, seen.st_size))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: cannot be read ({error}); nothing was loaded\nhint: check path and encoding"
        ) from None
    except YAMLError as error:
        where = " ".join(str(error).split())
        raise UsageError(f"{path}: not valid YAML ({where}); nothing was loaded\nhint: mend this line") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"{path}: holds no mapping of keys to values; nothing was loaded\nhint: see its neighbours")
    return content


@lru_cache(maxsize=64)
def _parsed(path: Path, _mtime_ns: int, _size: int) -> object:
    """What the file holds as it stands: a run asks for the same file many times, and parsing takes tens of ms."""
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
