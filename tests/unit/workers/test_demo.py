"""The demo's plans show everything, and what it draws can be read."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from registry.domain.collateral import required_collateral
from registry.domain.parameters import Parameters
from registry.domain.policy import ExerciseStyle, PolicyStatus
from registry.domain.prices import Prices
from registry.domain.settlement import NotInTheMoney, Payout, payout
from registry.domain.tier import RiskTier, classify
from registry.domain.units import USD8, BaseUnits, Nonce, Principal, Token, TxId, Usd8
from registry.stacks.clarity import FALSE, Err, Ok, UInt, Value, from_hex
from registry.stacks.contract_errors import ContractError
from registry.stacks.node import ChainStatus, SeenTransaction
from workers.audit.audit import CHECKS, Audit
from workers.audit.records import Move
from workers.demo import forger
from workers.demo.display import Display
from workers.demo.lives import Life, LifeWentWrong
from workers.demo.plans import (
    LEAST_PAYOUT,
    PLANS,
    PRICES,
    PRICES_AT_THE_END,
    PRICES_CRASHED,
    PRICES_FALLEN,
    Part,
    Plan,
)
from workers.demo.probes import Probe, ProbeWentWrong, contract_answer, entered, refused, registry_answer
from workers.demo.stage import Stage
from workers.demo.tables import tables
from workers.demo.wallets import Wallet

S = PolicyStatus
TX_ID = TxId("ab" * 32)


def at(told: Any) -> Prices:
    return Prices(btc_usd=Usd8(int(told["BTC/USD"]) * USD8), stx_usd=Usd8(int(float(told["STX/USD"]) * USD8)))


def tier_of(plan: Plan) -> RiskTier:
    return classify(plan.protected_value, spot=at(PRICES).btc_usd, days=plan.days)


def owed(plan: Plan, prices: Prices, *, least: int | None = None) -> Payout:
    collateral = required_collateral(
        strike=plan.protected_value,
        amount=plan.protected_amount,
        tier=tier_of(plan),
        token=plan.token,
        prices=at(PRICES),
        parameters=Parameters(),
    )
    return payout(
        strike=plan.protected_value,
        amount=plan.protected_amount,
        token=plan.token,
        collateral=collateral,
        prices=prices,
        min_payout=None if least is None else BaseUnits(least),
    )


def playing(*parts: Part) -> list[Plan]:
    return [plan for plan in PLANS if plan.part in parts]


# what is shown


def test_every_tier_is_sold_in_both_tokens_and_every_part_is_played() -> None:
    assert len(PLANS) >= 12
    assert len({plan.name for plan in PLANS}) == len(PLANS)
    assert {(tier_of(plan), plan.token) for plan in PLANS} == {(tier, token) for tier in RiskTier for token in Token}
    assert {plan.part for plan in PLANS} == set(Part)
    assert {plan.style for plan in PLANS} == set(ExerciseStyle)


def test_one_payout_is_capped_and_no_other() -> None:
    asked = {
        **dict.fromkeys(playing(Part.ASKS_IN_THE_FALL, Part.FORGES, Part.SIGNS_TOO_LATE), PRICES_FALLEN),
        **dict.fromkeys(playing(Part.ASKS_WITHOUT_PRICES), PRICES_FALLEN),
        **dict.fromkeys(playing(Part.ASKS_IN_THE_CRASH, Part.ASKS_FOR_TOO_MUCH), PRICES_CRASHED),
    }
    capped = {plan.part for plan, prices in asked.items() if owed(plan, at(prices)).capped}
    assert capped == {Part.ASKS_IN_THE_CRASH}


def test_who_asks_for_too_much_gets_it_only_in_the_crash() -> None:
    (plan,) = playing(Part.ASKS_FOR_TOO_MUCH)
    assert owed(plan, at(PRICES_FALLEN)).amount < LEAST_PAYOUT
    assert owed(plan, at(PRICES_CRASHED), least=LEAST_PAYOUT).amount >= LEAST_PAYOUT


def test_one_european_policy_is_in_the_money_at_the_end_and_one_is_out() -> None:
    ends = {plan.ending: plan for plan in playing(Part.MAY_NOT_ASK)}
    assert owed(ends[S.SETTLED], at(PRICES_AT_THE_END)).amount > 0
    with pytest.raises(NotInTheMoney):
        owed(ends[S.EXPIRED], at(PRICES_AT_THE_END))
    assert all(plan.style is ExerciseStyle.EUROPEAN for plan in ends.values())


# probes


def mined(result: Value, status: ChainStatus = ChainStatus.SUCCESS) -> SeenTransaction:
    return SeenTransaction(
        txid=TX_ID, status=status, nonce=Nonce(0), sender=Principal("ST1"), block=None, result=result.encode()
    )


def test_a_contracts_answer_is_its_number_and_its_name() -> None:
    assert contract_answer(mined(Err(UInt(205)), ChainStatus.ABORT_BY_RESPONSE)) == "u205 quote_used"
    assert contract_answer(mined(Ok(UInt(7)))) == "ok"
    assert entered(mined(Ok(UInt(7)))) == 7
    assert entered(mined(Err(UInt(102)))) is None


def test_what_only_looks_like_success_or_like_an_error_of_ours_is_told_as_it_is() -> None:
    undone = contract_answer(mined(Ok(UInt(7)), ChainStatus.ABORT_BY_POST_CONDITION))
    assert undone.startswith("abort_by_post_condition")
    assert contract_answer(mined(Err(UInt(9999)))) not in {"ok", *map(refused, ContractError)}
    assert contract_answer(mined(FALSE)) != "ok"


def test_a_probe_that_was_answered_otherwise_or_not_at_all_is_an_error() -> None:
    probe = Probe(who="forger", what="a quote", wanted=refused(ContractError.QUOTE_USED))
    with pytest.raises(ProbeWentWrong, match="answer was none"):
        probe.require()
    probe.answer = "ok"
    with pytest.raises(ProbeWentWrong, match="answer was ok"):
        probe.require()
    probe.answer = "u205 quote_used"
    probe.require()


def test_the_registrys_answer_is_the_refusals_code() -> None:
    def refuse() -> None:
        raise LifeWentWrong(name="", policy="", status="", wanted="", directory="")

    assert registry_answer(refuse) == "life_went_wrong"
    assert registry_answer(lambda: None) == "accepted"


def test_a_forged_quote_differs_from_the_signed_one_in_its_premium_alone() -> None:
    signed = [UInt(1).encode().hex(), UInt(500).encode().hex(), UInt(3).encode().hex()]
    forged = forger._cheaper({"contract": "any", "functionArgs": signed})
    assert forged["contract"] == "any"
    assert [from_hex(each) for each in forged["functionArgs"]] == [UInt(1), UInt(499), UInt(3)]


# lives


def life(plan: Plan = PLANS[0], *, status: str | None = None, **fields: object) -> Life:
    policy = {} if status is None else {"id": f"{plan.name}-id", "status_detailed": status, **fields}
    return Life(plan=plan, owner=Wallet(name=plan.name), policy=policy)


def stage(*lives: Life) -> Stage:
    nothing = cast("Any", SimpleNamespace(directory=Path("/nowhere")))
    return Stage(
        supervisor=nothing,
        stack=nothing,
        client=nothing,
        devnet=nothing,
        node=nothing,
        display=nothing,
        lives=lives,
    )


def test_waiting_ends_with_the_status_and_stops_the_steps_clock() -> None:
    own = life(status=S.PENDING_CREATION)
    own.begin("purchase")
    waiting = stage(own).until(own, S.ACTIVE, step="purchase")
    next(waiting)
    own.policy = {**own.policy, "status_detailed": S.ACTIVE}
    assert next(waiting, "over") == "over"
    assert own.steps["purchase"] >= 0


@pytest.mark.parametrize("wrong", [S.FAILED_SETTLEMENT, S.QUARANTINED, S.EXPIRED])
def test_a_policy_that_ends_otherwise_is_an_error_at_once(wrong: PolicyStatus) -> None:
    own = life(status=S.SETTLING)
    waiting = stage(own).until(own, S.SETTLED)
    next(waiting)
    own.policy = {**own.policy, "status_detailed": wrong}
    with pytest.raises(LifeWentWrong, match=f"is {wrong} and was to become Settled"):
        next(waiting)


def test_a_policy_that_was_given_up_may_still_come_back() -> None:
    own = life(status=S.FAILED_CREATION)
    waiting = stage(own).until(own, S.ACTIVE)
    next(waiting)
    own.policy = {**own.policy, "status_detailed": S.ACTIVE}
    assert next(waiting, "over") == "over"


# what is drawn

AMOUNTS = {Token.STX: (94_758_911, "94.758911"), Token.SBTC: (3_300_000_000, "33.00000000")}


def ended() -> list[Life]:
    return [
        replace(
            life(
                plan,
                status=plan.ending,
                policy_id_on_chain=100 + number,
                risk_tier="Conservative",
                premium_amount_base_units=AMOUNTS[plan.token][0],
                settlement_amount_base_units=AMOUNTS[plan.token][0],
            ),
            max_payout=AMOUNTS[plan.token][0],
        )
        for number, plan in enumerate(PLANS)
    ]


@pytest.mark.parametrize("width", [120, 95, 94, 86, 85, 80])
def test_tables_fit_the_line_and_break_no_figure(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    lives = ended()
    move = Move(edge="a", leaves=None, enters="PendingCreation", cause="quoted", at=datetime(2026, 1, 1, tzinfo=UTC))
    walks = {str(each.id): (move,) * 5 for each in lives}
    verdict = Audit(ok=False, checks=dict.fromkeys(CHECKS, False), details={}, walks=walks)
    probes = [Probe(who="forger", what="an entry " * 8, wanted="ok", answer="u102 registry_bad_parameters")]
    Console(width=width, highlight=False).print(tables(lives, probes, verdict, seconds=25.0, width=width))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    drawn = Counter(line.split()[0] for line in lines if line.strip())
    for each in lives:
        (line,) = [line for line in lines if line.startswith(f"{each.plan.name} ") and each.plan.ending in line]
        assert line.split()[-2:] == [AMOUNTS[each.plan.token][1], f"{AMOUNTS[each.plan.token][1]}*"]
        assert ("aaaaa" in line, f" {each.plan.style} " in line) == (True, width >= 95)
    assert drawn["BROKEN"] == len(CHECKS)


def test_the_live_picture_fits_on_a_terminal_of_24_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    lives = ended()
    display = Display(lives, live=False)
    for number in range(12):
        display.phase(f"phase {number}")
    console = Console(width=80, file=None)
    with console.capture() as captured:
        console.print(display.picture())
    lines = captured.get().splitlines()
    assert len(lines) <= 24
    assert [line.split()[-1] for line in lines if "phase" in line] == ["7", "8", "9", "10", "11"]
    assert all(any(each.plan.name in line for line in lines) for each in lives)
