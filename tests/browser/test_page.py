"""The page in a browser, on a whole stack: a policy bought, watched and paid out, and what may come in between."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Open
from tests.browser.fronts import Front
from tests.browser.visits import Visit

BREAKS = re.compile(r"Failed to load resource: net::ERR_|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION")
REFUSED = re.compile(r"Failed to load resource: .* 422 ")
OTHER_WALLET = """
    window.Other = { request: async () => { throw { error: { code: -32603, message: 'out of coffee' } }; } };
    window.wbip_providers = [{ id: 'Other', name: 'Other wallet' }];
"""
PHONE = {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True}
LEAST_TARGET = 24
LEAST_CONTRAST = 4.5


def slide(own: Visit, slider: str, *, to: int) -> None:
    """Drag a slider to a value."""
    own.page.locator(f"#{slider}").fill(str(to))


def test_a_policy_is_bought_watched_and_paid_out(opened: Open, front: Front) -> None:
    own = opened()
    own.sign_in("Ada")
    slide(own, "strike", to=45_000)
    bought = own.buy()
    expect(own.page.locator(f"#policy-{bought}")).to_be_focused()
    own.sees(bought, "Active")
    own.picture("desktop-active")
    front.price(40_000)
    own.policy(bought).get_by_role("button", name="Ask for the payout").click()
    own.page.get_by_label("At least").fill("100")
    own.page.get_by_role("button", name="Ask for it").click()
    expect(own.page.locator(f"#policy-{bought}")).to_be_focused()
    own.sees(bought, "Settled")
    paid = own.policy(bought)
    # (45 000 − 40 000) USD × 0.1 BTC, at 2 USD an STX
    expect(paid.get_by_text("250 STX")).to_be_visible()
    expect(paid.locator("[aria-current=step]")).to_contain_text("Paid out")
    expect(paid.locator(".timeline li").first).to_have_attribute("data-edge", "d")
    edges = [each.get_attribute("data-edge") for each in paid.locator(".timeline li").all()]
    assert edges == ["d", "c", "b", "a"]
    expect(own.page.locator("#told")).to_have_text("A policy of yours: Paid out.")
    own.picture("desktop-paid")


def test_who_refuses_in_his_wallet_has_bought_nothing(opened: Open) -> None:
    own = opened()
    own.sign_in("Blaise")
    own.page.get_by_role("button", name="Buy this policy").click()
    own.refuse("Send this transaction?")
    expect(own.page.locator("#told")).to_contain_text("Nothing was paid")
    [policy] = own.policies()
    own.sees(policy, "PendingCreation")
    own.policy(policy).get_by_role("button").click()
    expect(own.policy(policy).get_by_text("You gave this quote back")).to_be_visible()
    expect(own.page.get_by_role("button", name="Buy this policy")).to_be_enabled()


def test_a_wallet_that_is_refused_signs_nobody_in(opened: Open) -> None:
    own = opened()
    own.page.locator("#connect").click()
    own.approve("Show your address?")
    own.wallet("Sign this message?")
    own.page.keyboard.press("Escape")
    expect(own.page.locator("#connect")).to_be_enabled()
    expect(own.page.locator("#told")).to_have_text("You refused in your wallet.")


def test_a_reload_in_the_middle_of_a_purchase_buys_once(opened: Open) -> None:
    own = opened()
    own.sign_in("Carl")
    before = own.policies()
    own.page.get_by_role("button", name="Buy this policy").click()
    own.wallet("Send this transaction?")
    own.page.reload()
    expect(own.page.get_by_text("You were buying a policy")).to_be_visible()
    own.page.get_by_role("button", name="Go on").click()
    own.approve("Send this transaction?")
    expect(own.page.locator("article[data-status=Active]")).to_have_count(1)
    assert len(own.policies() - before) == 1
    own.page.reload()
    expect(own.page.locator("article[data-status=Active]")).to_have_count(1)


def test_an_answer_that_is_lost_buys_nothing_twice(opened: Open) -> None:
    own = opened()
    own.sign_in("Carl")
    lost = list[str]()

    def lose_the_first(route: Route) -> None:
        answer = route.fetch()
        if lost:
            route.fulfill(response=answer)
        else:
            lost.append(answer.json()["policy"]["id"])
            route.abort()

    own.page.route("**/v1/policies", lose_the_first)
    bought = own.buy()
    assert [bought] == lost
    own.sees(bought, "Active")
    own.expected(BREAKS)


def test_a_wallet_in_which_another_account_is_open_is_asked_again(opened: Open) -> None:
    own = opened()
    own.sign_in("Ada")
    known = own.policies()
    own.page.get_by_role("button", name="Buy this policy").click()
    own.wallet("Send this transaction?").get_by_label("Account").select_option("Blaise")
    own.approve("Send this transaction?")
    expect(own.page.get_by_role("alert")).to_contain_text("The payload is for ST")
    own.page.get_by_role("button", name="Go on").click()
    own.wallet("Send this transaction?").get_by_label("Account").select_option("Ada")
    own.approve("Send this transaction?")
    expect(own.page.get_by_role("button", name="Buy this policy")).to_be_enabled()
    [bought] = own.policies() - known
    own.sees(bought, "Active")
    own.policy(bought).get_by_role("button", name="Ask for the payout").click()
    own.page.get_by_role("button", name="Ask for it").click()
    refusal = own.page.get_by_role("dialog").get_by_role("alert")
    expect(refusal).to_contain_text("Bitcoin is at $50,000, not below")
    own.page.get_by_role("button", name="Not now").click()
    own.sees(bought, "Active")
    own.expected(REFUSED)


def test_whoever_has_several_wallets_is_asked_which(opened: Open) -> None:
    own = opened(scripts=[OTHER_WALLET])
    own.page.locator("#connect").click()
    choice = own.page.get_by_role("dialog", name="Which wallet?")
    assert choice.get_by_role("listitem").all_inner_texts() == ["Other wallet", "Devnet wallet"]
    choice.get_by_role("button", name="Other wallet").click()
    expect(own.page.get_by_role("alert")).to_have_text("Out of coffee.")
    own.page.locator("#connect").click()
    choice.get_by_role("button", name="Devnet wallet").click()
    own.wallet("Show your address?")


def test_a_front_door_that_ends_is_found_again_and_nothing_is_missed(opened: Open, front: Front) -> None:
    own = opened()
    own.sign_in("Blaise")
    bought = own.buy()
    front.kill()
    expect(own.page.get_by_text("Connecting…", exact=True)).to_be_visible()
    front.open()
    expect(own.page.get_by_text("Live", exact=True)).to_be_visible()
    own.sees(bought, "Active")
    own.expected(BREAKS)


def test_all_of_it_works_from_the_keyboard(opened: Open, front: Front) -> None:
    own = opened()
    keys = own.page.keyboard
    own.tab_to("To the content")
    own.tab_to("connect")
    keys.press("Enter")
    for title in ("Show your address?", "Sign this message?"):
        own.wallet(title)
        own.tab_to("Approve")
        keys.press("Enter")
    expect(own.page.locator("#buy")).to_be_focused()
    own.page.locator("body").press("Home")
    own.tab_to("strike")
    strike = own.page.locator("#strike").input_value()
    keys.press("ArrowRight")
    assert own.page.locator("#strike").input_value() == str(int(strike) + 100)
    own.tab_to("STX")
    keys.press("ArrowRight")
    expect(own.page.locator("#premium")).to_contain_text("sBTC")
    own.tab_to("Buy this policy")
    keys.press("Enter")
    own.wallet("Send this transaction?")
    own.tab_to("Approve")
    keys.press("Enter")
    expect(own.page.locator(".policy [aria-expanded=true]")).to_be_focused()
    [bought] = [each for each in own.policies() if own.policy(each).locator("[aria-expanded=true]").count()]
    own.sees(bought, "Active")
    front.price(40_000)
    own.tab_to("Ask for the payout")
    keys.press("Space")
    own.tab_to("Ask for it")
    keys.press("Enter")
    own.sees(bought, re.compile("Settl(ing|ed)"))


def test_it_fits_a_phone(opened: Open) -> None:
    own = opened(**PHONE)
    own.sign_in("Ada")
    own.buy()
    assert own.page.evaluate("document.documentElement.scrollWidth") == PHONE["viewport"]["width"]  # type: ignore[index] # of a dict of both
    small = own.page.evaluate(
        """least => [...document.querySelectorAll('button, a, input, select')]
            .filter(each => each.checkVisibility() && !each.closest('.skip'))
            .map(each => [each.id || each.textContent.trim(), each.getBoundingClientRect()])
            .filter(([, box]) => box.height < least || box.width < least).map(([name]) => name)""",
        LEAST_TARGET,
    )
    assert small == []
    own.picture("phone")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_written_is_read(opened: Open, scheme: str) -> None:
    own = opened(color_scheme=scheme, reduced_motion="reduce")
    own.sign_in("Ada")
    faint = own.page.evaluate((Path(__file__).parent / "contrast.js").read_text(), LEAST_CONTRAST)
    assert faint == []
    own.picture(scheme)


def test_everything_has_a_name_of_its_own(opened: Open) -> None:
    own = opened()
    own.sign_in("Ada")
    own.page.locator(".policy button").first.click()
    found = own.page.evaluate((Path(__file__).parent / "names.js").read_text())
    assert found == {"nameless": [], "twice": [], "levels": [], "language": "en", "main": 1, "h1": 1}
    drawing = own.page.get_by_role("img", name="What the policy comes to at each price of bitcoin")
    expect(drawing.locator("desc")).to_contain_text("the policy pays nothing and costs the premium of")


def test_what_is_not_sold_is_said_before_it_is_asked_for(opened: Open) -> None:
    own = opened()
    slide(own, "days", to=61)
    slide(own, "strike", to=44_900)
    expect(own.page.get_by_role("alert")).to_contain_text("$44,900 is not sold for 61 days")
    slide(own, "strike", to=45_000)
    expect(own.page.locator("#premium")).to_be_visible()
    expect(own.page.get_by_role("alert")).to_have_count(0)


def test_a_token_is_exchanged_before_it_runs_out_and_the_page_stays_live(opened: Open) -> None:
    own = opened()
    own.page.clock.install()
    own.sign_in("Carl")
    with own.page.expect_response("**/v1/sessions/rotate") as exchanged:
        own.page.clock.fast_forward("11:00")
    assert exchanged.value.ok
    expect(own.page.get_by_text("Live", exact=True)).to_be_visible()
    own.page.locator("#sign-out").click()
    expect(own.page.locator("#connect")).to_be_visible()
    assert own.page.evaluate("sessionStorage.length") == 0


def test_the_documentation_of_the_api_asks_nobody_else(opened: Open, front: Front) -> None:
    own = opened()
    asked = list[str]()
    own.page.on("request", lambda request: asked.append(request.url))
    own.page.goto(f"{front.url}/v1/docs")
    expect(own.page.get_by_text("/v1/quotes/preview", exact=True)).to_be_visible()
    assert [each for each in asked if not each.startswith((front.url, "data:"))] == []
