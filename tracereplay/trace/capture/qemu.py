"""Every load and store, and fetches by blocks, of a program or a whole guest, with contents (QEMU plugin).

A program runs in ``qemu-x86_64``, at some 70 times its CPU time, and is recorded in virtual pages; of a
script, give the interpreter.  A command that is itself ``qemu-system-…`` gets the plugin added, and the
guest's accesses are recorded in guest-physical pages, its kernel's included.  ``time`` is the number of
the access.

The plugin (``qemu_plugin.c``, compiled when first needed) streams accesses through a pipe; they are reduced
here (``trace.reduce``).  At intervals it lets the program stand still while the pages that it touched are
hashed.  **A row's content is its page's at the end of the row's interval**, for rows before the page's
first write in it that of the interval before; null where neither is known: of a program that was killed,
in the last interval.

A fetch is recorded once for each block of instructions that QEMU translates as a whole.  Stores of a
program's kernel and of a guest's devices show as changed contents only.  Not seen: children of a program,
and what it becomes by exec.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tracereplay.catalog import Accesses, Pages
from tracereplay.errors import CaptureError
from tracereplay.trace.capture import Outcome, program_path
from tracereplay.trace.capture._family import signal_family, started_others
from tracereplay.trace.capture._interrupt import Interrupt
from tracereplay.trace.capture._intervals import CONTENT, Intervals, at_least_one
from tracereplay.trace.reduce import Reduction
from tracereplay.units import format_bytes

_PROGRAM = "qemu-x86_64"
_GUEST = "qemu-system-"
_SOURCE = Path(__file__).with_name("qemu_plugin.c")
_COMPILE = ("gcc", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra")
_PIPE_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 22
_RECORD = np.dtype([("time", np.uint64), ("page_op", np.uint64)])
_END = 255
_GRACE_SECONDS = 2.0
_LOOKS_SECONDS = 0.1  # how soon Ctrl-C is heard
_UNSEEN = re.compile(r"--?(daemonize|enable-kvm)|(.*accel=)?kvm([:,].*)?")
_LARGEST_GUEST = 2 << 30  # below it, a guest-physical address is an offset into the memory's file


def probe() -> None:
    """CaptureError without a compiler, or without any QEMU."""
    if shutil.which("gcc") is None:
        raise CaptureError(
            "found no gcc, which compiles the QEMU plugin; install it (Debian, Ubuntu: apt-get install gcc "
            "libc6-dev)"
        )
    if not any(map(shutil.which, (_PROGRAM, f"{_GUEST}x86_64"))):
        raise CaptureError(
            f"found neither {_PROGRAM} nor {_GUEST}x86_64; install one (Debian, Ubuntu: apt-get install "
            "qemu-user for programs, qemu-system-x86 for whole guests)"
        )


def record(
    command: Sequence[str],
    outcome: Outcome,
    interrupt: Interrupt,
    *,
    interval: Accesses = 1_000_000,
    exact_above: Pages = 64,
) -> Iterator[pa.RecordBatch]:
    """Rows ``time, page, op, content``, an interval at a time.

    ``interval`` is how many accesses lie between two looks at the contents; memory grows with what is kept
    of one.  LRU faults are exact for memories of ``exact_above`` pages or more (``trace.reduce``).
    CaptureError: no such program or QEMU, or a guest whose memory cannot be read.
    """
    at_least_one("interval", interval)
    at_least_one("exact_above", exact_above)
    ram = _guest_memory(command)
    outcome.page_space = "guest-physical" if ram else "guest-virtual"
    outcome.reduction = {"method": "sad", "exact_above": exact_above}
    intervals = Intervals(kept := Reduction(exact_above))
    with _running(command, ram, interval) as emulated:
        stream = _Stream(emulated, kept, interrupt)
        while stream.reaches_end_of_interval():
            outcome.seen = stream.accesses
            emulated.look_for_others()
            rows = intervals.close(emulated.memory(stream.elsewhere))
            emulated.go_on()
            yield rows
        yield intervals.close(None)
        outcome.exit_code, outcome.interrupted = stream.exit_code(), interrupt.asked
        outcome.replaced, outcome.started_others = stream.replaced, emulated.started_others
    outcome.said.update(_fidelity(stream, intervals, interval))
    if not stream.accesses:
        if interrupt.asked:
            raise KeyboardInterrupt
        raise CaptureError(
            f"found {command[0]}, which ended (exit code {outcome.exit_code}) before its first access; "
            f"expected {'a guest' if ram else 'an x86-64 program (of a script: its interpreter)'} that QEMU "
            "can run"
        )


def _guest_memory(command: Sequence[str]) -> str | None:
    """The file that holds the memory of a whole guest; None where the command is a program."""
    if not os.path.basename(command[0]).startswith(_GUEST):
        return None
    if unseen := next(filter(_UNSEEN.fullmatch, command), None):
        raise CaptureError(
            f"found {unseen}: the plugin cannot see such a guest; expected one that QEMU emulates in the "
            "foreground (-accel tcg, no -daemonize)"
        )
    for option in command:
        kind, *pairs = option.split(",")
        properties = dict(pair.partition("=")[::2] for pair in pairs)
        if kind == "memory-backend-file" and properties.get("share") == "on" and "mem-path" in properties:
            return os.path.realpath(properties["mem-path"])
    raise CaptureError(
        "found a guest whose memory is not in a shared file; expected -object memory-backend-file,id=ram,"
        "size=SIZE,mem-path=FILE,share=on and -machine TYPE,memory-backend=ram: contents are read there"
    )


class _Emulated:
    """A running QEMU with the plugin: the process, and the pipes from and to it."""

    def __init__(self, process: subprocess.Popen[bytes], ram: str | None, pipe: int, go: int) -> None:
        self.process = process
        self.pipe = pipe
        self.started_others = False
        self._ram = ram
        self._go = go
        self._memory: int | None = None
        self._kill_at: float | None = None

    def memory(self, elsewhere: bool) -> int | None:
        """A descriptor in which a page's offset is its address; None where there is none."""
        if elsewhere:
            return None
        if self._memory is None:
            self._memory = os.open(self._ram or f"/proc/{self.process.pid}/mem", os.O_RDONLY)
            if self._ram and (size := os.fstat(self._memory).st_size) > _LARGEST_GUEST:
                raise CaptureError(
                    f"found a guest with {format_bytes(size)} of memory; expected at most "
                    f"{format_bytes(_LARGEST_GUEST)}, as its addresses have a hole above; give it less"
                )
        return self._memory

    def look_for_others(self) -> None:
        """Note whether the program has started other processes; QEMU's own are nobody's concern."""
        self.started_others |= self._ram is None and started_others(self.process.pid)

    def go_on(self) -> None:
        """Let the program go on after the end of an interval."""
        os.write(self._go, b"\0")

    def end(self) -> None:
        """Ask the program and what it forked to end; by force when asked again after a while."""
        now = time.monotonic()
        if self._kill_at is None:
            self._kill_at = now + _GRACE_SECONDS
            self.look_for_others()
            self._signal(signal.SIGTERM)
        elif now >= self._kill_at:
            self._signal(signal.SIGKILL)

    def close(self) -> None:
        """End QEMU and what it forked, if it has not ended."""
        self._signal(signal.SIGKILL)
        self.process.wait()
        for descriptor in (self.pipe, self._go, self._memory):
            if descriptor is not None:
                os.close(descriptor)

    def _signal(self, number: int) -> None:
        if self.process.poll() is None:
            signal_family(self.process.pid, number)


class _Stream:
    """The accesses that the plugin sends, on their way into ``kept``."""

    def __init__(self, emulated: _Emulated, kept: Reduction, interrupt: Interrupt) -> None:
        self.accesses = 0
        self.elsewhere = self.replaced = False
        self._emulated = emulated
        self._kept = kept
        self._interrupt = interrupt
        self._bytes = bytearray()

    def reaches_end_of_interval(self) -> bool:
        """Take accesses until the program stands still at the end of an interval; False when it has ended."""
        while data := self._read():
            self._bytes += data
            whole = len(self._bytes) % _RECORD.itemsize == 0
            if whole and self._bytes[-_RECORD.itemsize // 2] == _END:
                self._take()
                return True
            if len(self._bytes) >= _CHUNK_BYTES:
                self._take()
        self._take()
        return False

    def exit_code(self) -> int:
        """Wait for the program, which may have become another one."""
        while (code := self._emulated.process.poll()) is None:
            self._end_if_asked()
            time.sleep(_LOOKS_SECONDS)
        return code

    def _read(self) -> bytes:
        """What comes next; nothing at the end."""
        while not select.select([self._emulated.pipe], [], [], _LOOKS_SECONDS)[0]:
            self._end_if_asked()
        self._end_if_asked()
        return os.read(self._emulated.pipe, _PIPE_BYTES)

    def _end_if_asked(self) -> None:
        if self._interrupt.asked:
            self._emulated.end()

    def _take(self) -> None:
        """Pass whole records on."""
        count = len(self._bytes) // _RECORD.itemsize
        records = np.frombuffer(bytes(self._bytes), _RECORD, count)
        del self._bytes[: records.nbytes]
        if not count:
            return
        op = records["page_op"].astype(np.uint8)
        page = records["page_op"] >> np.uint64(8)
        self.accesses = int(records["time"][-1])
        if op[-1] == _END:
            self.elsewhere, self.replaced = (bool(page[-1] & np.uint64(bit)) for bit in (1, 2))
            count -= 1
        else:
            self.replaced = False
        self._kept.add(records["time"][:count].copy(), page[:count], op[:count])


@contextmanager
def _running(command: Sequence[str], ram: str | None, interval: int) -> Iterator[_Emulated]:
    """The command under QEMU, which ends with the block."""
    out, theirs_out = os.pipe()
    theirs_go, go = os.pipe()
    with suppress(OSError):  # more than an unprivileged user may have: the default will do
        fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    try:
        plugin = f"{_plugin()},out={theirs_out},go={theirs_go},interval={interval}"
        words = _program(command, plugin) if ram is None else _guest(command, f"{plugin},ram={ram}")
        process = subprocess.Popen(words, pass_fds=(theirs_out, theirs_go))
    except BaseException:
        os.close(out)
        os.close(go)
        raise
    finally:
        os.close(theirs_out)
        os.close(theirs_go)
    emulated = _Emulated(process, ram, out, go)
    try:
        yield emulated
    finally:
        emulated.close()


def _program(command: Sequence[str], plugin: str) -> list[str]:
    """A command line that runs a program in QEMU."""
    if shutil.which(_PROGRAM) is None:
        raise CaptureError(
            f"found no {_PROGRAM}; install it (Debian, Ubuntu: apt-get install qemu-user), or record a whole "
            f"guest: {_GUEST}x86_64 …"
        )
    return [_PROGRAM, "-plugin", plugin, "-0", command[0], program_path(command[0]), *command[1:]]


def _guest(command: Sequence[str], plugin: str) -> list[str]:
    """A command line of a whole guest with the plugin."""
    return [program_path(command[0]), *command[1:], "-plugin", plugin]


def _plugin() -> Path:
    """The compiled plugin, in the user's cache under a name that changes with its source."""
    source = _SOURCE.read_bytes()
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "tracereplay"
    plugin = home / f"qemu_plugin-{hashlib.sha256(source).hexdigest()[:12]}.so"
    if not plugin.exists():
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise CaptureError(
                f"found no place for the compiled QEMU plugin ({home}: {problem.strerror}); expected a "
                "directory that can be written to: set XDG_CACHE_HOME to one"
            ) from None
        temporary = plugin.with_suffix(f".{secrets.token_hex(4)}.tmp")
        done = subprocess.run(
            [*_COMPILE, "-o", temporary, _SOURCE], capture_output=True, text=True, check=False
        )
        if done.returncode:
            temporary.unlink(missing_ok=True)
            raise CaptureError(f"gcc could not compile the QEMU plugin; it says: {done.stderr.strip()}")
        os.replace(temporary, plugin)
    return plugin


def _fidelity(stream: _Stream, intervals: Intervals, interval: int) -> dict[str, Any]:
    """What a reader of the trace should know of it."""
    said: dict[str, Any] = {
        "raw_accesses": stream.accesses,
        "contents_every": f"{interval} accesses at least",
        "content": CONTENT,
        "intervals": intervals.count,
        "contents_changed_unexplained": intervals.unexplained,
        "fetches": "one for each execution of a translated block of instructions",
        "kernel_stores": "seen as changed contents only",
        "threads": "in the order in which QEMU ran them",
    }
    if stream.elsewhere:
        said["content"] = "unknown: QEMU has put the program's memory at other addresses"
    return said
