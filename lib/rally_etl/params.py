"""Read one YAML file of params; what is wrong with it is said with the names of file and key."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rally_etl.errors import UsageError

Model = TypeVar("Model", bound=BaseModel)


def read_mapping(path: Path) -> dict:
    """Read the mapping that *path* holds; an empty file is an empty mapping.

    Raises:
        UsageError: the file cannot be read, is no YAML, has a key twice, or holds no mapping.
    """
    try:
        seen = path.stat()
        content = deepcopy(_parsed(path.resolve(), seen.st_mtime_ns, seen.st_size))
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


def read_model(path: Path, model: type[Model], undone: str = "nothing was read") -> Model:
    """Read the file as a *model*; *undone* says in its message what has not happened.

    Raises:
        UsageError: as for `read_mapping`, or a value is missing, unknown or out of range.
    """
    content = read_mapping(path)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"{path}: key `{'.'.join(map(str, first['loc']))}`: {first['msg']}, not {first.get('input')!r};"
            f" {undone}\nhint: compare it with the project's own file"
        ) from None


@lru_cache(maxsize=64)
def _parsed(path: Path, _mtime_ns: int, _size: int) -> object:
    """What the file holds as it stands: a run asks for the same file many times, and parsing takes tens of ms."""
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
