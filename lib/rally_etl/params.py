"""Read one YAML file of params; what is wrong with it is said with the names of file and key."""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
from contextlib import suppress
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import ruamel.yaml
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rally_etl.errors import UsageError

Model = TypeVar("Model", bound=BaseModel)
DIGEST_BYTES = hashlib.sha256().digest_size


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
    text = path.read_text(encoding="utf-8")
    kept = _kept(path, text)
    if kept:
        with suppress(OSError):
            digest, data = (found := kept.read_bytes())[:DIGEST_BYTES], found[DIGEST_BYTES:]
            if digest == hashlib.sha256(data).digest():  # a bound that lost a bit on the disk would still be a number
                return marshal.loads(data)
    content = YAML(typ="safe", pure=True).load(text)
    if kept:
        _keep(kept, content)
    return content


def _kept(path: Path, text: str) -> Path | None:
    """Where the parsed content of exactly this text is kept between processes: under `.rally/` of its project."""
    root = next((folder.parent for folder in path.parents if folder.name == "params"), None)
    if root is None or not (root / ".rally").is_dir():
        return None
    digest = hashlib.sha256(f"{sys.version} {ruamel.yaml.__version__} {text}".encode()).hexdigest()
    return root / ".rally" / "params" / f"{path.stem}-{digest}"


def _keep(kept: Path, content: object) -> None:
    """Write it whole or not at all, in the place of what an older text of the file held; a fault is no matter."""
    with suppress(OSError, ValueError):  # a full or read-only disk; a value that is no plain one
        data = marshal.dumps(content)
        kept.parent.mkdir(exist_ok=True)
        new = kept.with_name(f"{kept.name}.{os.getpid()}")
        new.write_bytes(hashlib.sha256(data).digest() + data)
        new.replace(kept)
        for old in kept.parent.glob(f"{kept.name.rpartition('-')[0]}-*"):
            if old != kept:
                old.unlink(missing_ok=True)
