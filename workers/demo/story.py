"""The story of the demo: quotes, a fork, purchases and forgeries, falling prices, and weeks that pass."""

from dataclasses import dataclass, field
from typing import Any

from registry.domain.policy import PolicyStatus
from registry.domain.units import BLOCKS_PER_DAY, BurnHeight, TxId
from registry.stacks.contract_errors import ContractError
from workers.demo.forger import Forger
from workers.demo.lives import Life, playing
from workers.demo.lost_quote import lost_payload
from workers.demo.plans import LEAST_PAYOUT, PRICES, PRICES_AT_THE_END, PRICES_CRASHED, PRICES_FALLEN, WEEK, Part
from workers.demo.probes import NO_ANSWER, SKIPPED, Probe, entered, refused, registry_answer
from workers.demo.stack import QUOTE_VALID_BLOCKS
from workers.demo.stage import Stage, Waiting, answered
from workers.pending import Pending

FINAL_DEPTH = 6
MARGIN = 5
"""Blocks beyond a height that has to be passed."""

VENUES_TAKEN_DOWN = ("coinbase", "kraken", "bitstamp")
"""Of five; three have to agree on a bitcoin's price."""

FALL, CRASH = "fall", "crash"

_S = PolicyStatus
_NO_PURCHASE = {Part.SIGNS_NEVER, Part.DECLINES, Part.SIGNS_TOO_LATE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Takes lives from their beginning to their end, all of a chapter side by side."""

    stage: Stage
    probes: list[Probe] = field(default_factory=list)

    def tell(self) -> None:
        """Tell every chapter.

        Raises:
            LifeWentWrong: a policy came to a wrong end, or to none in time.
            ProbeWentWrong: something was not refused as it should have been.
            ProcessDied: a process of the stack has.
        """
        self.stage.devnet.set_prices(PRICES)
        self._outlive_quotes()
        self._quote()
        self._buy()
        self._fall()
        self._crash()
        self._run_out()
        for probe in self.probes:
            probe.require()

    @property
    def _forger(self) -> Forger:
        (life,) = self._playing(Part.FORGES)
        return Forger(life.owner, cast=self.stage.stack.cast, node=self.stage.node)

    def _playing(self, *parts: Part) -> list[Life]:
        return playing(self.stage.lives, *parts)

    def _outlive_quotes(self) -> None:
        """Three quotes run out; a fork takes that back for one whose purchase had come too late."""
        stage = self.stage
        early = self._playing(*_NO_PURCHASE)
        (late,) = self._playing(Part.SIGNS_TOO_LATE)
        self._forger.deploy()
        stage.display.phase("quotes run out unsigned, or signed too late")
        stage.together([self._ask(life) for life in early])
        stage.together([self._decline(life) for life in self._playing(Part.DECLINES)])
        stage.devnet.pause()
        stage.devnet.burn(QUOTE_VALID_BLOCKS + MARGIN)
        stage.sign([late])
        stage.devnet.mine()
        self.probes.append(self._too_late(late))
        stage.together([stage.until(life, _S.FAILED_CREATION) for life in early])
        stage.display.phase("a fork takes those blocks back, and one is bought after all")
        late.begin("fork_to_active")
        stage.devnet.reorganise(2)
        stage.devnet.mine()
        # Beyond the height that was seen before the fork: below it a node passes for one that lags behind.
        stage.devnet.burn(QUOTE_VALID_BLOCKS + MARGIN + FINAL_DEPTH)
        stage.devnet.resume()
        stage.together([stage.until(late, _S.ACTIVE, step="fork_to_active")])

    def _too_late(self, life: Life) -> Probe:
        probe = Probe(
            who=life.plan.name,
            what="a quote that has run out",
            wanted=refused(ContractError.QUOTE_EXPIRED),
            tx_id=TxId(self.stage.sent(life).removeprefix("0x")),
        )
        probe.read(self.stage.node)
        return probe

    def _quote(self) -> None:
        stage = self.stage
        stage.display.phase("owners ask for quotes, one is signed and lost")
        asking = [life for life in stage.lives if life.id is None and life.plan.part is not Part.HOLDS_A_LOST_QUOTE]
        stage.together([self._ask(life) for life in asking])
        for life in self._playing(Part.HOLDS_A_LOST_QUOTE):
            life.wallet_payload = lost_payload(stage.stack.cast, life, height=stage.node.tip().burn_height)

    def _ask(self, life: Life) -> Waiting:
        life.begin("quote")
        key = f"demo-{life.plan.name}"
        asked = self.stage.client.request_creation(life.owner.address, life.plan.request(), idempotency_key=key)
        answer = yield from answered(asked)
        life.end("quote")
        life.policy, life.wallet_payload = answer["policy"], answer["wallet_payload"]
        life.max_payout = answer["quote"]["max_payout_base_units"]

    def _decline(self, life: Life) -> Waiting:
        yield from answered(self.stage.client.decline_creation(life.owner.address, life.policy["id"]))

    def _buy(self) -> None:
        """Wallets sign what was prepared for them; a forger tries all else."""
        stage = self.stage
        buyers = [life for life in stage.lives if life.plan.part not in _NO_PURCHASE]
        (forger,) = self._playing(Part.FORGES)
        stage.display.phase("wallets sign, a forger tries his luck")
        for life in buyers:
            life.begin("purchase")
        tries, allowed = self._forger.forge(
            forger.wallet_payload,
            next(life.wallet_payload for life in self._playing(Part.ASKS_IN_THE_FALL)),
            expiration=BurnHeight(stage.node.tip().burn_height + WEEK * BLOCKS_PER_DAY),
        )
        stage.sign(buyers)
        stage.devnet.mine()
        tries.append(self._forger.repeat(forger.wallet_payload))
        stage.devnet.burn(1)
        stage.devnet.burn(FINAL_DEPTH)
        for probe in tries:
            probe.read(stage.node)
        self.probes.extend(tries)
        stage.display.phase("purchases are confirmed")
        stage.together([self._confirm(life) for life in buyers])
        # Only now, for before its block was followed nothing could be known of it anyway.
        self.probes.append(self._skipped(allowed))

    def _confirm(self, life: Life) -> Waiting:
        stage = self.stage
        if life.plan.part is Part.HOLDS_A_LOST_QUOTE:
            yield from self._find(life)
            yield from stage.until(life, _S.QUARANTINED, step="purchase")
            return
        yield from answered(stage.client.report_creation_tx(life.owner.address, life.policy["id"], stage.sent(life)))
        yield from stage.until(life, _S.ACTIVE, step="purchase")

    def _find(self, life: Life) -> Waiting:
        """Look for a policy that nobody asked for among its owner's."""
        while life.id is None:
            page = yield from answered(self.stage.client.list_by_owner(life.owner.address))
            life.policy = next(iter(page["items"]), {})

    def _skipped(self, entry: Probe) -> Probe:
        """See an entry of another counterparty in the contract, and that the registry knows nothing of it."""
        seen = None if entry.tx_id is None else self.stage.node.transaction(entry.tx_id)
        on_chain = None if seen is None else entered(seen)
        known = on_chain is None or self.stage.client.get_by_id(on_chain).answer()
        entry.what += "" if on_chain is None else f", made as u{on_chain}"
        entry.wanted = SKIPPED
        entry.answer = NO_ANSWER if known else SKIPPED
        return entry

    def _fall(self) -> None:
        stage = self.stage
        stage.devnet.set_prices(PRICES_FALLEN)
        stage.display.phase("the price falls, owners ask to be paid")
        (waiting,) = self._playing(Part.ASKS_WITHOUT_PRICES)
        asking = self._playing(Part.ASKS_IN_THE_FALL, Part.FORGES, Part.SIGNS_TOO_LATE)
        refusals = (
            (Part.ASKS_FOR_TOO_MUCH, "to be paid a hundredth of a bitcoin at least", "below_minimum"),
            (Part.MAY_NOT_ASK, "to be paid early on a European policy", "european_style"),
            (Part.HOLDS_A_LOST_QUOTE, "to be paid on a quote that nobody knows", "policy_not_active"),
        )
        stage.together(
            [
                *(self._activate(life, when=FALL) for life in asking),
                *(
                    self._fail_to_activate(life, what=what, wanted=wanted)
                    for part, what, wanted in refusals
                    for life in self._playing(part)
                ),
            ]
        )
        stage.devnet.take_down(*VENUES_TAKEN_DOWN)
        stage.display.phase("venues fail: one request is held")
        stage.together([self._fail_to_activate(waiting, what="to be paid without prices", wanted="price_unavailable")])
        stage.devnet.bring_up(*VENUES_TAKEN_DOWN)
        stage.together([self._activate(waiting, when=FALL)])

    def _crash(self) -> None:
        stage = self.stage
        stage.devnet.set_prices(PRICES_CRASHED)
        stage.display.phase("prices crash, a payout is capped, payouts are confirmed")
        asking = self._playing(Part.ASKS_IN_THE_CRASH, Part.ASKS_FOR_TOO_MUCH)
        stage.together([self._activate(life, when=CRASH) for life in asking])
        paid = self._playing(Part.ASKS_IN_THE_FALL, Part.FORGES, Part.SIGNS_TOO_LATE, Part.ASKS_WITHOUT_PRICES)
        stage.together([stage.until(life, _S.SETTLED, step="payout") for life in [*paid, *asking]])

    def _run_out(self) -> None:
        stage = self.stage
        stage.devnet.set_prices(PRICES_AT_THE_END)
        stage.display.phase("weeks pass, European policies are decided, the rest expires")
        ending = self._playing(Part.ASKS_NEVER, Part.MAY_NOT_ASK)
        for life in ending:
            life.begin("running_out")
        stage.devnet.burn(WEEK * BLOCKS_PER_DAY + MARGIN)
        stage.together([stage.until(life, life.plan.ending, step="running_out") for life in ending])

    def _activate(self, life: Life, *, when: str) -> Waiting:
        life.begin("payout")
        yield from answered(self._wish(life, when=when))
        yield from self.stage.until(life, _S.SETTLING)

    def _fail_to_activate(self, life: Life, *, what: str, wanted: str) -> Waiting:
        pending = self._wish(life, when=FALL)
        while not pending.is_over():
            yield
        answer = registry_answer(pending.answer)
        self.probes.append(Probe(who=life.plan.name, what=what, wanted=wanted, by="registry", answer=answer))

    def _wish(self, life: Life, *, when: str) -> Pending[Any]:
        """Ask for the payout; asked again at the same time it is the same request."""
        return self.stage.client.request_activation(
            life.owner.address,
            life.policy["id"],
            min_payout_base_units=LEAST_PAYOUT if life.plan.part is Part.ASKS_FOR_TOO_MUCH else None,
            idempotency_key=f"demo-{life.plan.name}-{when}",
        )
