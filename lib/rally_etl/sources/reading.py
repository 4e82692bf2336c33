"""Read one file into its records without believing it: size, encoding and form are checked first."""

from __future__ import annotations

import codecs
from pathlib import Path

import msgspec

from rally_etl.errors import RallyEtlError

BLOCK_BYTES = 16 * 1024 * 1024
_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_MARKS = {codecs.BOM_UTF8: "a byte-order mark", codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


class FileFault(RallyEtlError):
    """A file that cannot be used; the text says why and what to do."""


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """The file's bytes, UTF-8 and not larger than *max_bytes*.

    Raises:
        FileFault: unreadable, not a plain file, empty, too large, or not UTF-8.
    """
    try:
        if not path.is_file():
            raise FileFault("is not a plain file")
        size = path.stat().st_size
        if size > max_bytes:
            raise FileFault(f"is {size:,} bytes; the limit is {max_bytes:,} bytes (RALLY_MAX_FILE_BYTES)")
        data = path.read_bytes()
    except OSError as error:
        raise FileFault(f"cannot be read: {error.strerror or error}") from None
    if not data[:BLOCK_BYTES].strip() and not data.strip():
        raise FileFault("is empty (no bytes)")
    _check_encoding(data)
    return data


def split_records(data: bytes) -> list[msgspec.Raw]:
    """The records of a JSON array, each as its own bytes.

    Raises:
        FileFault: not JSON, cut short, or not an array; an array without records.
    """
    try:
        records = _RAW_LIST.decode(data)
    except msgspec.ValidationError:
        raise FileFault(f"is not an array of records; it begins with {_beginning(data)}") from None
    except msgspec.DecodeError as error:
        raise FileFault(f"is not readable JSON ({error}); it ends with {_ending(data)}; scrape it again") from None
    except RecursionError:
        raise FileFault("is nested too deeply to be a list of records") from None
    if not records:
        raise FileFault("holds an empty list; a scrape of this kind has records, so the scraper found nothing")
    return records


def _check_encoding(data: bytes) -> None:
    for mark, name in _MARKS.items():
        if data.startswith(mark):
            raise FileFault(f"begins with {name}; it must be plain UTF-8, save it as UTF-8 without a mark")
    if data.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data), BLOCK_BYTES):
        block = data[start : start + BLOCK_BYTES]
        try:
            decoder.decode(block, final=start + BLOCK_BYTES >= len(data))
        except UnicodeDecodeError as error:
            at = start + error.start
            raise FileFault(
                f"is not UTF-8: byte 0x{data[min(at, len(data) - 1)]:02x} near position {at:,}; save it as UTF-8"
            ) from None


def _beginning(data: bytes) -> str:
    return repr(data[:40].decode("utf-8", "replace"))


def _ending(data: bytes) -> str:
    return repr(data[-40:].decode("utf-8", "replace"))
