"""`params/alerts.yaml`: which channels there are, and what goes to which."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from rally_etl.errors import UsageError
from rally_etl.incidents import Severity
from rally_etl.params import read_mapping
from rally_etl.settings import Settings

FILE = "alerts.yaml"
EVERYWHERE = "*"

EnvName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
Seconds = Annotated[float, Field(gt=0, le=300)]


class Model(BaseModel):
    """A mapping of the file: a key that is not known is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FileChannel(Model):
    """Appends one JSON line per message."""

    kind: Literal["file"]
    path: str = ".rally/alerts.jsonl"


class SlackChannel(Model):
    """Posts JSON to an incoming webhook, whose address is a secret."""

    kind: Literal["slack"]
    url_env: EnvName
    ca_file: str = ""


class SmsChannel(Model):
    """Posts a form to a gateway that speaks as Twilio's does: From, To, Body, and a login."""

    kind: Literal["sms"]
    url_env: EnvName
    user_env: EnvName
    password_env: EnvName
    sender: str
    to_env: EnvName
    ca_file: str = ""


class EmailChannel(Model):
    """Hands a mail to a server over TLS, whose certificate has to be good."""

    kind: Literal["email"]
    host: str
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user_env: EnvName | None = None
    password_env: EnvName | None = None
    sender: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    to: list[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]] = Field(min_length=1)
    ca_file: str = ""

    @model_validator(mode="after")
    def _whole(self) -> EmailChannel:
        if (self.user_env is None) != (self.password_env is None):
            raise ValueError("`user_env` and `password_env` come together")
        if self.security == "none" and self.host not in LOCAL:
            raise ValueError("`security: none` is for a server on this machine only")
        if self.security == "none" and self.user_env:
            raise ValueError("a login needs `security: starttls` or `tls`")
        return self


class AppriseChannel(Model):
    """Whatever apprise knows; its address holds the secrets."""

    kind: Literal["apprise"]
    url_env: EnvName


LOCAL = ("localhost", "127.0.0.1", "::1")
Channel = FileChannel | SlackChannel | SmsChannel | EmailChannel | AppriseChannel


class Route(Model):
    """Incidents that fit all that is given go to all of *channels*; an empty list fits everything."""

    channels: list[str] = Field(min_length=1)
    leagues: list[str] = []
    severities: list[Severity] = ["error", "warn"]
    stages: list[str] = []
    dimensions: list[str] = []
    owners: list[str] = []


def _is_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("no time zone of this name") from None
    return name


class QuietHours(Model):
    """From *begin* to *end*, over midnight if it ends before it begins; *except_for* is told all the same."""

    begin: time
    end: time
    time_zone: Annotated[str, AfterValidator(_is_zone)]
    except_for: list[Severity] = ["error"]

    def holds(self, now: datetime, severity: str) -> bool:
        """Whether news of this severity waits at this instant."""
        clock = now.astimezone(ZoneInfo(self.time_zone)).time()
        within = self.begin <= clock < self.end
        if self.begin > self.end:
            within = clock >= self.begin or clock < self.end
        return within and severity not in self.except_for


class Escalation(Model):
    """Open incidents of *severities* that nobody has acknowledged after a while go to *channels*, once."""

    after_minutes: float = Field(60, gt=0)
    severities: list[Severity] = ["error"]
    channels: list[str] = Field(min_length=1)


class Sending(Model):
    """How long a message may take, a run may be held up by all of them, and a message is tried."""

    timeout_s: Seconds = 5
    budget_s: Seconds = 10
    give_up_after_hours: float = Field(48, gt=0)


class Alerting(Model):
    """The file as a whole."""

    channels: dict[str, Annotated[Channel, Field(discriminator="kind")]] = {}
    routes: list[Route] = []
    minimum_interval_minutes: float = Field(60, ge=0)
    quiet_hours: QuietHours | None = None
    escalation: Escalation | None = None
    sending: Sending = Sending()

    def leagues_for(
        self, channel: str, *, severities: Mapping[str, str], stage: str, dimensions: Collection[str],
        owners: Collection[str],
    ) -> set[str]:  # fmt: skip
        """Leagues of an incident (with its severity in each) that this channel hears of.

        `*`, the whole database, concerns every league.
        """
        return {
            league
            for league, severity in severities.items()
            for route in self.routes
            if channel in route.channels
            and severity in route.severities
            and (league == EVERYWHERE or _fits(route.leagues, [league]))
            and _fits(route.stages, [stage])
            and _fits(route.dimensions, dimensions)
            and _fits(route.owners, owners)
        }


def _fits(wanted: Collection[str], found: Iterable[str]) -> bool:
    return not wanted or any(each in wanted for each in found)


def read_alerting(settings: Settings) -> Alerting:
    """Read the file.

    Raises:
        UsageError: it is missing, or a value is unknown or out of range. What may be a secret is not shown.
    """
    path = settings.params_dir / FILE
    content = read_mapping(path)
    try:
        alerting = Alerting.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(_fault(path.name, _key(first["loc"]), *_shown(first))) from None
    for key, names in _named(alerting):
        if unknown := [name for name in names if name not in alerting.channels]:
            told = f"there is no channel {unknown[0]!r}, only {', '.join(alerting.channels) or 'none'}"
            raise UsageError(_fault(path.name, key, told, ""))
    return alerting


def _named(alerting: Alerting) -> Iterable[tuple[str, list[str]]]:
    for number, route in enumerate(alerting.routes):
        yield f"routes.{number}.channels", route.channels
    if alerting.escalation:
        yield "escalation.channels", alerting.escalation.channels


def _key(location: tuple[int | str, ...]) -> str:
    """`channels.mail.port`, without the kind that pydantic puts in between."""
    parts = [str(each) for each in location]
    if len(parts) > 3 and parts[0] == "channels":
        del parts[2]
    return ".".join(parts)


def _shown(error: dict) -> tuple[str, str]:
    """What is wrong, and the value where it can be no secret: an unknown key may be `password`, a name an address."""
    key = str(error["loc"][-1])
    if error["type"] == "extra_forbidden":
        return "no such key; secrets stand in the environment, and its name here: `url_env`, `password_env`", ""
    if key.endswith("_env"):
        return "no name of an environment variable, such as RALLY_SLACK_URL (the value is not shown)", ""
    value = error.get("input")
    return error["msg"].removeprefix("Value error, "), "" if isinstance(value, dict) else f", not {value!r}"


def _fault(name: str, key: str, what: str, value: str) -> str:
    return (
        f"params/{name}: key `{key}`: {what}{value}; no alert was sent\n"
        "hint: docs/alerts.md has an example of each channel"
    )
