"""Headless Chromium over its DevTools protocol: what a page draws, asks for, and complains of."""

from __future__ import annotations

import base64
import itertools
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import websocket

TIMEOUT_S = 60
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--force-device-scale-factor=1", "--font-render-hinting=none", "--remote-debugging-port=0",
)  # fmt: skip

# Fonts differ between machines; matplotlib brings one that does not.
FONT = """
(() => {
  const style = document.createElement("style");
  style.textContent = `@font-face {font-family: Test; src: url(data:font/ttf;base64,%s)}
    *, *::before, *::after {font-family: Test !important}`;
  document.head.append(style);
  return document.fonts.load("16px Test").then(fonts => fonts.length);
})()
"""


def find_chromium() -> str | None:
    """Return Chromium, whatever its name here."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """One page in one tab."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self._socket, self._ids = socket, itertools.count(1)
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; events on the way are kept."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def run(self, expression: str) -> Any:
        """Evaluate JavaScript, promises included, and return its value."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)  # fmt: skip
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def open(self, address: str, width: int, height: int = 900, policy: bool = False) -> None:
        """Load a page into a window of that size; `policy` keeps its own policy in force."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.setBypassCSP", enabled=not policy)  # for the font of the tests only
        self.resize(width, height)
        self.call("Page.navigate", url=address)
        deadline = time.monotonic() + TIMEOUT_S
        while not any(e["method"] == "Page.loadEventFired" for e in self.events):
            assert time.monotonic() < deadline, "the page did not load"
            self.events.append(json.loads(self._socket.recv()))
        self.run("document.fonts.ready.then(() => 1)")

    def resize(self, width: int, height: int = 900) -> None:
        """Set the size of the window, in CSS pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)  # fmt: skip

    def same_font(self) -> None:
        """Set everything in a font that is the same on every machine."""
        font = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
        assert self.run(FONT % base64.b64encode(font.read_bytes()).decode()) == 1

    def key(self, name: str, code: int, text: str = "") -> None:
        """Press and release a key."""
        common = {"key": name, "code": name, "windowsVirtualKeyCode": code}
        down = {**common, "text": text} if text else common
        self.call("Input.dispatchKeyEvent", type="keyDown", **down)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def screenshot(self, whole: bool = True) -> bytes:
        """Return a PNG of the whole page, or of the window."""
        result = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(result["data"])

    def pdf(self) -> bytes:
        """Print the page on the paper that its style asks for."""
        result = self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        return base64.b64decode(result["data"])

    def complaints(self) -> list[str]:
        """Return errors and warnings of the console, and exceptions."""
        self.run("1")  # lets what is under way arrive
        out = []
        for event in self.events:
            what, said = event["method"], event.get("params", {})
            if (
                what == "Runtime.exceptionThrown"
                or (what == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"))
                or (what == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning"))
            ):
                out.append(json.dumps(said)[:500])
        return out

    def requests(self) -> list[str]:
        """Return the addresses that the page asked for, those inside it left out."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
            and not event["params"]["request"]["url"].startswith("data:")
        ]


@contextmanager
def browser(chromium: str, folder: Path) -> Iterator[Page]:
    """Start Chromium with a profile in `folder`; yield a tab; end it."""
    words = [chromium, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    socket = None
    try:
        assert process.stderr is not None
        port = None
        for line in process.stderr:
            match = re.search(r"ws://127\.0\.0\.1:(\d+)/", line)
            if match:
                port = int(match[1])
                break
        assert port is not None, "Chromium did not start"
        socket = websocket.create_connection(_tab(port), timeout=TIMEOUT_S, suppress_origin=True)
        yield Page(socket)
    finally:
        if socket is not None:
            socket.close()
        process.terminate()
        process.wait(TIMEOUT_S)
        process.stderr.close()


def _tab(port: int) -> str:
    """Return the address of the first tab's socket."""
    from urllib.request import urlopen

    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=TIMEOUT_S) as answer:
            tabs = [tab for tab in json.load(answer) if tab["type"] == "page"]
        if tabs:
            return tabs[0]["webSocketDebuggerUrl"]
        time.sleep(0.05)
    raise AssertionError("Chromium opened no tab")
