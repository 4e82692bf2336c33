"""The longer statements of planning, one file each; they run with the plan's schema first in ``search_path``."""

from importlib.resources import files


def read(name: str) -> str:
    """The text of ``<name>.sql``."""
    return (files(__name__) / f"{name}.sql").read_text(encoding="utf-8")
