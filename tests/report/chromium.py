"""Debian's chromium without a window, driven over a pair of pipes (Chrome DevTools Protocol)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

PROGRAM = shutil.which("chromium")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-pipe",
)


class Browser:
    """One tab: what it is told, what it says, what it asks for."""

    def __init__(self, commands: IO[bytes], replies: IO[bytes]) -> None:
        self._commands, self._replies = commands, replies
        self._buffer, self._number, self._session = b"", 0, None
        self.events: list[dict[str, Any]] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its result; events on the way are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        while (reply := self._receive()).get("id") != self._number:
            self.events.append(reply)
        assert "error" not in reply, reply
        return reply["result"]

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            chunk = self._replies.read(1 << 20)
            assert chunk, "chromium has gone"
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def open(self, page: Path) -> None:
        """Load a page and wait until everything in it is there."""
        self.events.clear()
        self.send("Page.navigate", url=page.as_uri())
        while not self.heard("Page.loadEventFired"):
            self.events.append(self._receive())

    def heard(self, *methods: str) -> list[dict[str, Any]]:
        """What these events said since the page was opened."""
        return [event["params"] for event in self.events if event.get("method") in methods]

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        found = self.send("Runtime.evaluate", expression=f"{{{expression}}}", returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str, text: str = "") -> None:
        """Press and release a key."""
        code = {"Enter": 13, "Tab": 9, " ": 32}[key]
        for kind in ("keyDown", "keyUp"):
            said = {"text": text} if text and kind == "keyDown" else {}
            self.send("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **said)

    def click(self, selector: str) -> None:
        """Click into the middle of an element, as a mouse would."""
        x, y = self.ask(
            f"const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'}); const box = e.getBoundingClientRect();"
            " [box.x + box.width / 2, box.y + box.height / 2]"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser that ends with the block; it keeps its things in ``profile``."""
    commands, ours_out = os.pipe()
    ours_in, replies = os.pipe()
    # chromium reads commands from file descriptor 3 and answers on 4
    line = ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{replies}', "bash"]
    line += [str(PROGRAM), *_FLAGS, f"--user-data-dir={profile}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with os.fdopen(ours_out, "wb", 0) as out, os.fdopen(ours_in, "rb", 0) as replied:
        process = subprocess.Popen(line, pass_fds=(commands, replies), **quiet)
        os.close(commands)
        os.close(replies)
        try:
            yield Browser(out, replied)
        finally:
            process.terminate()
            process.wait()
