"""Settings: the environment, `.env`, and what is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from rally_etl.errors import UsageError
from rally_etl.settings import Settings, project_folder, read_env_file


def test_environment_wins_over_env_file(tmp_path):
    """What the environment says is not overridden by `.env`; what it leaves out is filled from it."""
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://file/db\nRALLY_LOCK_TIMEOUT_S=7\n")

    settings = Settings.from_env({"DATABASE_URL": "postgresql://real/db"}, tmp_path)

    assert ("postgresql://real/db", 7) == (settings.database_url, settings.lock_timeout_s)


def test_empty_database_url_means_embedded(tmp_path):
    """An empty DATABASE_URL is as good as none."""
    assert Settings.from_env({"DATABASE_URL": " "}, tmp_path).database_url is None


def test_repr_hides_the_database_url(tmp_path):
    """The address, which may hold a password, is not in the text of the settings."""
    settings = Settings(root=tmp_path, database_url="postgresql://u:secret@h/d")

    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("  export A = b ", "b"),
        ("A='b # c'", "b # c"),
        ('A="b=c"', "b=c"),
        ("A=b # a comment", "b"),
        ("A=b#c", "b#c"),
        ("A=", ""),
        ("\ufeffA=b", "b"),
    ],
)
def test_env_file_value(tmp_path, line, value):
    """Quotes, blanks, `export`, comments and a byte order mark are read as other tools read them."""
    (tmp_path / ".env").write_text(f"# comment\n\n{line}\n" if not line.startswith("\ufeff") else line)

    assert {"A": value} == read_env_file(tmp_path / ".env")


def test_env_file_with_a_bad_line_does_not_repeat_it(tmp_path):
    """A line that is no assignment is named by its number only, for it may hold a password."""
    (tmp_path / ".env").write_text("A=b\nsecret password\n")

    with pytest.raises(UsageError, match="line 2") as failure:
        read_env_file(tmp_path / ".env")

    assert "secret" not in str(failure.value)


@pytest.mark.parametrize("text", ["0", "-1", "ten", "1.5", "²"])
def test_limit_that_is_no_number(tmp_path, text):
    """A limit is a whole number above 0; the message names the variable and the value."""
    with pytest.raises(UsageError, match="RALLY_STATEMENT_TIMEOUT_S"):
        Settings.from_env({"RALLY_STATEMENT_TIMEOUT_S": text}, tmp_path)


def test_rally_home_names_the_project_folder(tmp_path):
    """RALLY_HOME wins over the folder that the package is installed from."""
    assert tmp_path.resolve() == Settings.from_env({"RALLY_HOME": str(tmp_path)}).root


def test_rally_home_that_does_not_exist(tmp_path):
    """A wrong RALLY_HOME is a wrong use, not an empty project."""
    with pytest.raises(UsageError, match="RALLY_HOME"):
        project_folder({"RALLY_HOME": str(tmp_path / "none")})


def test_project_folder_is_the_checkout():
    """Without RALLY_HOME an editable install finds its own checkout."""
    assert Path(__file__).resolve().parents[1] == project_folder({})
