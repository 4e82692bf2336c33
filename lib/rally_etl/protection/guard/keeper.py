"""The process that keeps a guarded command: it starts it, and ends all that comes of it.

Run as a script of its own, with nothing but the standard library: the control pipe, the answer pipe and the command are
its arguments. When the control pipe closes, because the time is over or because the guard itself has died, the command
is ended. What the command has left running in the background, even detached, ends with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE_S = 3.0  # seconds between asking a process to end and ending it
PAUSE_S = 0.05
SET_CHILD_SUBREAPER = 36  # prctl of Linux: whoever is left without a parent becomes a child of this process


def main(control: int, answer: int, command: list[str]) -> int:
    """Run the command until it ends or the control pipe closes; answer how it ended as one line of JSON."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, start_new_session=True, restore_signals=True, preexec_fn=_hear_signals
        )
    except OSError as error:
        _say(answer, {"error": error.strerror})
        return 1
    _say(answer, {"pid": process.pid})
    was_stopped = False
    while process.poll() is None:
        ready, _, _ = select.select([control], [], [], PAUSE_S)
        if ready and not os.read(control, 64):
            was_stopped = True
            break
    left = _end(process)
    _say(answer, {"code": process.wait(), "was_stopped": was_stopped, "left": left})
    return 0


def _hear_signals() -> None:
    """The command hears the signals that its keeper does not."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _end(process: subprocess.Popen) -> int:
    """End the command and whatever came of it; answer how many processes outlived the command itself."""
    found = _descendants() - ({process.pid} if process.poll() is None else set())
    left = len(found)
    deadline = time.monotonic() + GRACE_S
    _signal(process, signal.SIGTERM)
    while time.monotonic() < deadline and (process.poll() is None or _descendants()):
        time.sleep(PAUSE_S)
    while process.poll() is None or _descendants():  # one may have started another meanwhile
        _signal(process, signal.SIGKILL)
        time.sleep(PAUSE_S)
        if time.monotonic() > deadline + 2 * GRACE_S:
            break
    return left


def _signal(process: subprocess.Popen, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
    for pid in _descendants():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _descendants() -> set[int]:
    """Processes that come from this one and still run; those that have ended are taken note of."""
    parents: dict[int, int] = {}
    ended = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(path.parent.name)
        parents[pid] = int(words[1])
        if words[0] in "ZX":
            ended.add(pid)
    found, more = set(), {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in more} - found:
        found |= more
    for pid in found & ended:
        if parents[pid] == os.getpid() and pid != _COMMAND.get("pid"):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
    return found - ended


_COMMAND: dict[str, int] = {}  # the command itself is waited for by its Popen


def _say(answer: int, document: dict) -> None:
    _COMMAND.update({"pid": document["pid"]} if "pid" in document else {})
    with contextlib.suppress(BrokenPipeError):
        os.write(answer, json.dumps(document).encode() + b"\n")


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
