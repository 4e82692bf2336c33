"""The spool: messages in the ledger, sent one after another per channel, by one process at a time.

A message is `sending` before its first byte leaves and `sent` when the server has answered. Whoever dies in between
leaves it `sending`, and it goes out again under the same key: it arrives at least once, and once where the server, or
the file, knows the key. A message that cannot be sent keeps those behind it waiting, so that they arrive in order.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep

import sqlalchemy as sa

from rally_etl import logs
from rally_etl.alerts.answers import Answer
from rally_etl.alerts.channels import Message, Off, Sender, senders
from rally_etl.alerts.routes import Alerting
from rally_etl.database.engine import clean_message
from rally_etl.settings import Settings

CHANNEL_LOCK = 0x52414C  # first half of an advisory lock; the second is of the channel's name
WAIT_S = 1.0  # before the second attempt; doubled before each one after it
LONGEST_WAIT_S = 1800.0
LONGEST_ASKED_S = 6 * 3600.0  # of what a server may ask to wait
LEFT_ALONE_S = 0.5  # over the budget, for a thread to write down what it heard


def drain(
    engine: sa.Engine,
    settings: Settings,
    alerting: Alerting,
    budget_s: float,
    tell: Callable[[str], None] = lambda text: None,
) -> None:
    """Send what waits, all channels at once, for at most *budget_s* seconds; what is left goes with the next command.

    Args:
        tell: called with a sentence per channel that is off or has not taken everything.
    """
    deadline = monotonic() + budget_s
    waiting = _waiting(engine)
    threads = []
    for channel in senders(settings, alerting):
        if isinstance(channel, Off):
            tell(f"channel {channel.name} is off: {channel.why}")
        elif channel.name in waiting:
            job = _Job(engine, channel, alerting, deadline)
            # A daemon: one that a server holds up does not hold up the end of the program.
            thread = threading.Thread(target=job.run, name=f"alerts {channel.name}", daemon=True)
            thread.start()
            threads.append((thread, job))
    for thread, job in threads:
        thread.join(max(0.0, deadline - monotonic()) + LEFT_ALONE_S)
        if job.trouble or thread.is_alive():
            tell(f"channel {job.sender.name}: {job.trouble or 'no answer yet'}; what waits goes with the next command")


def retry(engine: sa.Engine) -> int:
    """Put what was given up back into the spool, at its old place; answer how many messages."""
    sql = (
        "update etl.alert_messages set state = 'queued', next_at = clock_timestamp(), created_at = clock_timestamp()"
        " where state = 'gave_up'"
    )
    with engine.begin() as connection:
        return connection.execute(sa.text(sql)).rowcount


@dataclass(slots=True)
class _Job:
    """One channel's turn; *trouble* is what keeps its messages back."""

    engine: sa.Engine
    sender: Sender
    alerting: Alerting
    deadline: float
    trouble: str = ""

    def run(self) -> None:
        try:
            with _turn(self.engine, self.sender.name) as is_ours:
                while is_ours and self._step():
                    pass
        except sa.exc.SQLAlchemyError as error:  # the next command finds the spool as it is
            self.trouble = f"the ledger does not answer: {clean_message(error)}"

    def _step(self) -> bool:
        """Send the next message; False when there is none, or no time left for it."""
        found = _claim(self.engine, self.sender.name, self.deadline - monotonic())
        if isinstance(found, float):
            sleep(found)
            return True
        if found is None:
            return False
        timeout_s = min(self.alerting.sending.timeout_s, max(0.1, self.deadline - monotonic()))
        answer = self.sender.attempt(found, timeout_s)
        _record(self.engine, found, answer, self.alerting.sending.give_up_after_hours)
        _log(self.sender.name, found, answer)
        self.trouble = "" if answer.result == "delivered" else answer.text
        return True


@contextmanager
def _turn(engine: sa.Engine, channel: str) -> Iterator[bool]:
    """Whether this process alone sends on the channel; its turn ends with its session, however that ends."""
    binds = {"lock": CHANNEL_LOCK, "channel": channel}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        is_ours = connection.scalar(sa.text("select pg_try_advisory_lock(:lock, hashtext(:channel))"), binds)
        try:
            yield is_ours
        finally:
            if is_ours:
                connection.execute(sa.text("select pg_advisory_unlock(:lock, hashtext(:channel))"), binds)


def _waiting(engine: sa.Engine) -> set[str]:
    sql = "select distinct channel from etl.alert_messages where state in ('queued', 'sending')"
    with engine.connect() as connection:
        return set(connection.scalars(sa.text(sql)))


def _claim(engine: sa.Engine, channel: str, left_s: float) -> Message | float | None:
    """Take the oldest message that waits; or the seconds until it may go, if that is soon enough; or None.

    It is ours alone: one that is `sending` already was left by a process that died.
    """
    with engine.begin() as connection:
        head = connection.execute(_HEAD, {"channel": channel}).first()
        if head is None or left_s <= 0 or head.wait_s >= left_s:
            return None
        if head.wait_s > 0:
            return float(head.wait_s)
        return Message(*connection.execute(_TAKE, {"number": head.number}).one())


def _record(engine: sa.Engine, message: Message, answer: Answer, give_up_after_hours: float) -> None:
    wait_s = min(LONGEST_WAIT_S, WAIT_S * 2 ** min(message.attempts - 1, 16)) * random.uniform(0.5, 1)
    if answer.wait_s is not None:
        wait_s = max(wait_s, min(answer.wait_s, LONGEST_ASKED_S))
    with engine.begin() as connection:
        connection.execute(
            _ANSWERED,
            {
                "number": message.number, "result": answer.result, "answer": answer.text, "wait_s": wait_s,
                "hours": give_up_after_hours,
            },
        )  # fmt: skip


def _log(channel: str, message: Message, answer: Answer) -> None:
    action = {"delivered": "alert.sent", "refused": "alert.given_up"}.get(answer.result, "alert.failed")
    told = {} if answer.result == "delivered" else {"answer": answer.text}
    logs.event(action, channel=channel, number=message.number, attempt=message.attempts, **told)


_HEAD = sa.text(
    "select number, greatest(0, extract(epoch from next_at - clock_timestamp()))::double precision as wait_s"
    " from etl.alert_messages where channel = :channel and state in ('queued', 'sending') order by number limit 1"
)
_TAKE = sa.text(
    "update etl.alert_messages"
    " set attempts = attempts + 1, uncertain = uncertain or state = 'sending', state = 'sending'"
    " where number = :number returning number, cast(key as text), severity, subject, body, attempts, uncertain"
)
_ANSWERED = sa.text(
    """
    update etl.alert_messages
    set answer = :answer,
        uncertain = uncertain or :result = 'unknown',
        sent_at = case when :result = 'delivered' then clock_timestamp() end,
        next_at = clock_timestamp() + make_interval(secs => :wait_s),
        state = case
            when :result = 'delivered' then 'sent'
            when :result = 'refused' or clock_timestamp() - created_at > make_interval(secs => 3600 * :hours)
                then 'gave_up'
            else 'queued' end
    where number = :number
    """
)
