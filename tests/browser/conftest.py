"""A browser, and a stack with a front door for it to look at."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.fronts import Front
from tests.browser.visits import SECONDS, Visit, visit
from tests.conftest import STATE, enter_first_free
from workers.demo.devnet import Devnet
from workers.demo.stack import start
from workers.embedded.ports import HeldPorts

CHROMIUM = "chromium"
SCREENSHOTS = STATE / "screenshots"

Open = Callable[..., Visit]
"""Opens the page in a browser that was never there before; takes `scripts`, and what a browser context takes."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    program = shutil.which(CHROMIUM)
    if program is None:
        pytest.skip("there is no chromium on this machine; Debian has it: apt-get install chromium")
    expect.set_options(timeout=SECONDS * 1000)
    with sync_playwright() as playwright:
        # root has no sandbox there, and the pages are ours
        own = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield own
        own.close()


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    """The stack of the demo, its blocks a second apart, and a front door that tests may end."""
    with ExitStack() as held:
        ports = held.enter_context(HeldPorts())
        supervisor = enter_first_free(held)
        stack = start(supervisor, ports, owners=[], tell=lambda _: None)
        devnet = held.enter_context(closing(Devnet(stack.devnet_url)))
        own = Front(stack=stack, devnet=devnet, port=ports.hold(), log=supervisor.directory / "logs" / "front.log")
        own.open()
        held.callback(own.close)
        own.fetch_prices()
        yield own


@pytest.fixture
def opened(browser: Browser, front: Front) -> Iterator[Open]:
    """Opens pages for a test; whatever a page complained of fails it."""
    front.price(50_000)
    visits = list[Visit]()
    with ExitStack() as held:

        def open_page(*, scripts: Sequence[str] = (), **options: Any) -> Visit:
            own = held.enter_context(_context(browser, front, scripts, options))
            visits.append(own)
            return own

        yield open_page
        complaints = [each for own in visits for each in own.complaints]
    assert complaints == []


@contextmanager
def _context(browser: Browser, front: Front, scripts: Sequence[str], options: dict[str, Any]) -> Iterator[Visit]:
    context = browser.new_context(**{"viewport": {"width": 1180, "height": 860}, "locale": "en-GB", **options})
    try:
        yield visit(context, front.url, SCREENSHOTS, scripts=scripts)
    finally:
        context.close()
