"""Files that cannot be used say why, whatever stands where a scrape belongs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rally_etl.sources.reading import BLOCK_BYTES, FileFault, read_bytes, split_records

BAD_BYTES = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\t", "is empty"),
    "utf-16": ('[{"a": 1}]'.encode("utf-16"), "UTF-16"),
    "byte-order mark": (b"\xef\xbb\xbf[]", "byte-order mark"),
    "latin-1": ('[{"a": "Montréal"}]'.encode("latin-1"), "0xe9 near position 13"),
    "surrogate in UTF-8": (b'["\xed\xa0\x80"]', "is not UTF-8"),
    "cut in a character": ('["é'.encode()[:-1], "is not UTF-8"),
}
BAD_JSON = {
    "truncated": (b'[{"a": 1}, {"a"', "is not readable JSON"),
    "two arrays": (b"[1][2]", "is not readable JSON"),
    "utf-16 without mark": ('[{"a": 1}]'.encode("utf-16-le"), "is not readable JSON"),
    "NUL bytes": (b'[{"a": "\x00"}]', "is not readable JSON"),
    "lone surrogate": (b'[{"a": "\\ud800"}]', "is not readable JSON"),
    "web page": (b"<html>Too many requests</html>", "is not readable JSON"),
    "an object": (b'{"error": "403"}', 'is not an array of records; it begins with \'{"error"'),
    "a text": (b'"players"', "is not an array"),
    "null": (b"null", "is not an array"),
    "empty array": (b" [ ] ", "holds an empty list"),
    "deep": (b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
}


@pytest.mark.parametrize(("data", "telling"), BAD_BYTES.values(), ids=BAD_BYTES)
def test_bytes_that_are_no_utf8_text_are_a_fault(tmp_path, data, telling):
    """The fault names what the bytes are instead."""
    path = tmp_path / "players.json"
    path.write_bytes(data)

    with pytest.raises(FileFault, match=telling):
        read_bytes(path, 1000)


@pytest.mark.parametrize(("data", "telling"), BAD_JSON.values(), ids=BAD_JSON)
def test_text_that_is_no_array_of_records_is_a_fault(data, telling):
    """The fault shows where the text begins or ends, so that an operator sees what the scraper saved."""
    with pytest.raises(FileFault) as fault:
        split_records(data)

    assert telling in str(fault.value)
    assert len(str(fault.value)) < 300


def test_character_across_two_blocks_is_text(tmp_path):
    """Large files are looked at in blocks; a character may lie across their border."""
    data = b'["' + b"x" * (BLOCK_BYTES - 3) + 'é"]'.encode()
    path = tmp_path / "players.json"
    path.write_bytes(data)

    assert data == read_bytes(path, len(data))
    with pytest.raises(FileFault, match=f"the limit is {len(data) - 1:,} bytes .RALLY_MAX_FILE_BYTES"):
        read_bytes(path, len(data) - 1)


@pytest.mark.parametrize("what", ["folder", "nothing", "link to nothing", "link to itself"])
def test_what_is_no_file_is_a_fault(tmp_path, what):
    """A folder or a broken link under the name of a file is a fault, not a crash."""
    path = tmp_path / "players.json"
    if what == "folder":
        path.mkdir()
    elif what == "link to nothing":
        path.symlink_to(tmp_path / "gone.json")
    elif what == "link to itself":
        path.symlink_to(path)

    with pytest.raises(FileFault, match=r"is not a plain file|cannot be read"):
        read_bytes(path, 1000)


def test_file_that_may_not_be_read_is_a_fault(tmp_path, monkeypatch):
    """Missing permission names itself."""
    path = tmp_path / "players.json"
    path.write_text("[1]")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)

    with pytest.raises(FileFault, match="cannot be read: Permission denied"):
        read_bytes(path, 1000)


def test_records_keep_their_own_bytes():
    """Each record is the slice of the file that printed it, in order, repeated ones too."""
    texts = ['{"a": "é\\n\\u0000"}', '{"a":1e999}', "[[]]", "null", '{"a": "é\\n\\u0000"}']

    assert texts == [bytes(record).decode() for record in split_records(f"[{' , '.join(texts)}]".encode())]
    assert json.loads(texts[0]) == {"a": "é\n\0"}
