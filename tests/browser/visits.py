"""What somebody does on the page, and what he then sees."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, expect

SECONDS = 20.0
"""A purchase, its confirmation at 2 blocks, and a machine that does other things too."""
DEEP_FOCUS = (
    "() => { let at = document.activeElement; while (at?.shadowRoot) at = at.shadowRoot.activeElement; return at; }"
)
MOST_TABS = 60


@dataclass
class Visit:
    """A page that is open; `complaints` are what its console said, and errors that nobody caught."""

    page: Page
    url: str
    screenshots: Path
    complaints: list[str] = field(default_factory=list)

    def approve(self, title: str) -> None:
        """Say yes in the wallet, which asks for this."""
        self.wallet(title).get_by_role("button", name="Approve").click()

    def refuse(self, title: str) -> None:
        """Say no in the wallet."""
        self.wallet(title).get_by_role("button", name="Refuse").click()

    def wallet(self, title: str) -> Locator:
        """The wallet's dialog, which is there."""
        dialog = self.page.get_by_role("dialog", name=title)
        expect(dialog).to_be_visible()
        return dialog

    def sign_in(self, account: str) -> None:
        """Connect one of the devnet's accounts, and prove that it is ours."""
        self.page.locator("#connect").click()
        self.wallet("Show your address?").get_by_label("Account").select_option(account)
        self.approve("Show your address?")
        self.approve("Sign this message?")
        expect(self.page.locator("#sign-out")).to_be_visible()
        expect(self.page.get_by_text("Live", exact=True)).to_be_visible()
        expect(self.page.locator(".policies")).to_have_attribute("aria-busy", "false")

    def buy(self) -> str:
        """Buy what the sliders say; the policy's id."""
        known = self.policies()
        self.page.get_by_role("button", name="Buy this policy").click()
        self.approve("Send this transaction?")
        expect(self.page.locator("article")).to_have_count(len(known) + 1)
        expect(self.page.get_by_role("button", name="Buy this policy")).to_be_enabled()
        [bought] = self.policies() - known
        return bought

    def policies(self) -> set[str]:
        """The ids of those that are listed."""
        return {str(each.get_attribute("data-id")) for each in self.page.locator("article").all()}

    def policy(self, policy_id: str) -> Locator:
        """Its entry in the list."""
        return self.page.locator(f'article[data-id="{policy_id}"]')

    def sees(self, policy_id: str, status: str | re.Pattern[str]) -> None:
        """Wait until the page shows a status of a policy, without being touched."""
        expect(self.policy(policy_id)).to_have_attribute("data-status", status)

    def expected(self, complaints: re.Pattern[str]) -> None:
        """Let go of complaints that a test brought about; some have to be there."""
        kept = [each for each in self.complaints if not complaints.search(each)]
        assert len(kept) < len(self.complaints)
        self.complaints[:] = kept

    def tab_to(self, name: str) -> None:
        """Go on by the Tab key to what has this text, label or id."""
        told = (
            f"() => {{ const at = ({DEEP_FOCUS})();"
            " return [at?.id, at?.textContent?.trim(), at?.labels?.[0]?.textContent?.trim()]; }"
        )
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            if name in self.page.evaluate(told):
                return
        raise AssertionError(f"the Tab key does not lead to {name}")

    def picture(self, name: str, *, whole: bool = True) -> Path:
        """Keep what is seen now."""
        path = self.screenshots / f"{name}.png"
        self.page.screenshot(path=path, full_page=whole, animations="disabled")
        return path


def visit(context: BrowserContext, url: str, screenshots: Path, *, scripts: Sequence[str] = ()) -> Visit:
    """Open the page, and wait until it shows a price; scripts run before the page's own, as extensions do."""
    for each in scripts:
        context.add_init_script(each)
    own = Visit(page=context.new_page(), url=url, screenshots=screenshots)

    def said(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            own.complaints.append(message.text)

    own.page.on("console", said)
    own.page.on("pageerror", lambda error: own.complaints.append(str(error)))
    own.page.goto(url)
    expect(own.page.locator("#premium")).to_be_visible()
    return own
