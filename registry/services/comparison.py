"""Comparison: policies as the contracts have them at one block, beside our rows of the same ids."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from registry.domain.drift import Finding, Kind, Missing, Repair, Told, agrees
from registry.domain.height import ChainHeight
from registry.domain.policy import Edge, OnChainStatus, PolicyStatus, chain_edge
from registry.domain.units import BIGINT_MAX, BurnHeight, Principal, StacksHeight
from registry.stacks.contract_reads import ChainPolicy, Position
from registry.stacks.contracts import Contracts
from registry.stacks.events import PolicyPurchased, decode_event
from registry.store import blocks, policies, reconciliations
from registry.store.reconciliations import Events
from registry.store.tables import BlockRow, ChainEventRow, CollateralState, PolicyRow, ReservationRow

PURCHASED, CREATED, MARKED = "policy-purchased", "policy-created", "policy-status-updated"
_ENDED: Mapping[OnChainStatus, str] = {
    OnChainStatus.SETTLED: "policy-settled",
    OnChainStatus.EXPIRED: "collateral-released",
}
_UNDONE = {Edge.PAYOUT_ORPHANED, Edge.RELEASE_ORPHANED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What both contracts say of one on-chain id."""

    on_chain: int
    entry: ChainPolicy | None
    position: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One page of ids, as of one confirmed block. Rows that an event above that block touched are passed by.

    So is what waits for a look anyway, where all that is wrong with it is an edge that is still to be walked.
    """

    session: Session
    contracts: Contracts
    block: BlockRow
    now: datetime

    def of(self, seen: Sequence[Seen]) -> list[Finding]:
        """Every difference."""
        ids, height = [each.on_chain for each in seen], StacksHeight(self.block.height)
        events = reconciliations.events_up_to(self.session, ids, height=height)
        touched = reconciliations.touched_above(self.session, ids, height=height)
        rows = reconciliations.with_on_chain_ids(self.session, ids)
        return [
            finding
            for each in seen
            if each.on_chain not in touched
            for finding in self._one(each, rows.get(each.on_chain), events.get(each.on_chain, {}))
        ]

    def of_beyond(self, counter: int, *, limit: int) -> list[Finding]:
        """Rows with an id that the chain had not given out yet."""
        created_by = BurnHeight(self.block.burn_height)
        rows = reconciliations.beyond(self.session, counter, created_by=created_by, limit=limit)
        return [finding for row in rows for finding in self._not_ours(row)]

    def _one(self, seen: Seen, row: PolicyRow | None, events: Events) -> Iterator[Finding]:
        if seen.entry is None or seen.position is None or seen.entry.counterparty != self.contracts.pool:
            if row is not None and (row.creation_height or 0) <= self.block.burn_height:
                yield from self._not_ours(row)
            return
        missing = _missing(seen.entry, seen.position, events)
        if missing is not None:
            yield _lost_event(seen.on_chain, missing, row)
            return
        purchase, bought = events[PURCHASED]
        if row is None or purchase.policy_id != row.id:
            yield from self._elsewhere(seen, purchase, bought)
            return
        edge = chain_edge(policies.facts(self.session, row), height=self._height)
        if edge is not None or not _agree(row, seen.entry, seen.position):
            if edge is None or not _is_on_its_way(row, events):
                yield self._stands_wrong(row, seen.entry.status, edge)
            return
        yield from _terms(row, seen.entry)
        if row.status_detailed != PolicyStatus.QUARANTINED:
            yield from self._figures(row, seen.entry, seen.position, events)

    @property
    def _height(self) -> ChainHeight:
        burn = BurnHeight(self.block.burn_height)
        return ChainHeight(tip=burn, confirmed=burn, final=burn)

    def _not_ours(self, row: PolicyRow) -> Iterator[Finding]:
        """A row has an id under which our pool has no policy."""
        facts = policies.facts(self.session, row)
        edge = chain_edge(facts, height=self._height)
        if edge is None or not _is_on_its_way(row, {}):
            yield from self._misplaced(row, edge, chain={"policy_id_on_chain": None})

    def _elsewhere(self, seen: Seen, purchase: ChainEventRow, bought: BlockRow) -> Iterator[Finding]:
        """A purchase in our pool whose id no row has, or the row of another policy."""
        ours = {"policy": None if purchase.policy_id is None else str(purchase.policy_id)}
        there = {"policy_id_on_chain": seen.on_chain, "tx_id": purchase.tx_id}
        unknown: dict[str, Any] = {
            "kind": Kind.UNKNOWN,
            "subject": f"on chain {seen.on_chain}",
            "ours": ours,
            "chain": there,
        }
        if purchase.policy_id is None:
            yield Finding(**unknown, repair=Repair.FOLLOW if purchase.applied_at is None else Repair.NOBODY)
            return
        holder = self.session.get(PolicyRow, purchase.policy_id)
        if holder is None:
            # a quote that names a policy which is gone would stop the follower for good
            is_safe = not reconciliations.is_quoted(self.session, purchase.policy_id)
            repair = Repair.FOLLOW_AGAIN if is_safe else Repair.NOBODY
            yield Finding(**unknown, repair=repair, height=StacksHeight(bought.height))
            return
        edge = chain_edge(policies.facts(self.session, holder), height=self._height)
        if edge is None or not _is_on_its_way(holder, {PURCHASED: (purchase, bought)}):
            yield from self._misplaced(holder, edge, chain=there)

    def _misplaced(self, row: PolicyRow, edge: Edge | None, *, chain: Told) -> Iterator[Finding]:
        found: dict[str, Any] = {
            "subject": str(row.id),
            "ours": {"status": row.status_detailed, "policy_id_on_chain": row.policy_id_on_chain},
            "chain": chain,
            "policy_id": row.id,
        }
        if edge is not None:
            yield Finding(kind=Kind.STATUS, **found, repair=Repair.SYNC)
            return
        bought = blocks.event_of(self.session, row.id, PURCHASED)
        repair = Repair.NOBODY if bought is None else Repair.WALK_AGAIN
        height = None if bought is None else StacksHeight(bought[1].height)
        yield Finding(kind=Kind.MISPLACED, **found, repair=repair, height=height)

    def _stands_wrong(self, row: PolicyRow, on_chain: OnChainStatus, edge: Edge | None) -> Finding:
        """The status is not the chain's. One that is Active there moves no policy back: only a fork does."""
        back = edge in _UNDONE and on_chain is OnChainStatus.ACTIVE
        return Finding(
            kind=Kind.STATUS,
            subject=str(row.id),
            ours={"status": row.status_detailed},
            chain={"status": on_chain.value},
            repair=Repair.NOBODY if edge is None or back else Repair.SYNC,
            policy_id=row.id,
        )

    def _figures(self, row: PolicyRow, entry: ChainPolicy, position: Position, events: Events) -> Iterator[Finding]:
        """What edges wrote: those of the purchase, then those of the end, then the collateral."""
        bought, ended = self._of_purchase(events), _of_end(row, entry, position, events)
        for told, (_, block) in ((bought, events[PURCHASED]), (ended, _end(position, events))):
            ours = {name: getattr(row, name) for name in told}
            if ours != told:
                yield from self._mirror(row, events, ours=ours, told=told, height=StacksHeight(block.height))
                return
        yield from self._collateral(row, position, events)

    def _mirror(
        self, row: PolicyRow, events: Events, *, ours: Told, told: Told, height: StacksHeight
    ) -> Iterator[Finding]:
        # the registry's status alone is no edge: whoever looks at the policy copies it
        copied = row.status_detailed == PolicyStatus.EXPIRING and set(told) == {"status_on_chain"}
        if copied and _is_on_its_way(row, events):
            return
        yield Finding(
            kind=Kind.MIRROR,
            subject=str(row.id),
            ours={name: value for name, value in ours.items() if value != told[name]},
            chain={name: value for name, value in told.items() if value != ours[name]},
            repair=Repair.SYNC if copied else Repair.WALK_AGAIN,
            policy_id=row.id,
            height=height,
        )

    def _of_purchase(self, events: Events) -> dict[str, object]:
        event, block = events[PURCHASED]
        purchase = decode_event(self.contracts, Principal(event.contract), event.raw)
        if not isinstance(purchase, PolicyPurchased):
            return {}
        told = {"creation_height": block.burn_height, "tx_id_creation": event.tx_id, "premium_token": purchase.token}
        amounts = {
            "premium_amount_base_units": purchase.premium,
            "premium_fee_amount_base_units": purchase.fee,
        }
        return {**told, **{name: amount for name, amount in amounts.items() if amount <= BIGINT_MAX}}

    def _collateral(self, row: PolicyRow, position: Position, events: Events) -> Iterator[Finding]:
        reservation = self.session.get(ReservationRow, row.id)
        state = CollateralState.LOCKED if position.status is OnChainStatus.ACTIVE else CollateralState.RELEASED
        amount = {"amount_base_units": int(position.collateral), "token": position.token.value}
        told = {**amount, "state": state.value}
        ours = {name: None if reservation is None else getattr(reservation, name) for name in told}
        if ours == told:
            return
        can_walk = all(ours[name] == told[name] for name in amount)
        yield Finding(
            kind=Kind.COLLATERAL,
            subject=str(row.id),
            ours=ours,
            chain=told,
            repair=Repair.WALK_AGAIN if can_walk else Repair.NOBODY,
            policy_id=row.id,
            # a reservation is what a policy holds before its purchase: only from there each hold is taken anew
            height=StacksHeight(events[PURCHASED][1].height),
        )


def _is_on_its_way(row: PolicyRow, events: Events) -> bool:
    """Whether somebody looks at this policy in its turn: a time is set, or its events are still to be handed over."""
    return row.next_look_at is not None or any(event.applied_at is None for event, _ in events.values())


def _missing(entry: ChainPolicy, position: Position, events: Events) -> str | None:
    """The first event that a policy in this state must have left and that is not kept."""
    needed = [CREATED, PURCHASED]
    if position.status is not OnChainStatus.ACTIVE:
        needed.append(_ENDED[position.status])
    if entry.status is not OnChainStatus.ACTIVE:
        needed.append(MARKED)
    return next((name for name in needed if name not in events), None)


def _lost_event(on_chain: int, missing: str, row: PolicyRow | None) -> Finding:
    return Finding(
        kind=Kind.EVIDENCE,
        subject=f"on chain {on_chain}" if row is None else str(row.id),
        ours={missing: None},
        chain={"policy_id_on_chain": on_chain},
        repair=Repair.FOLLOW_AGAIN,
        policy_id=None if row is None else row.id,
        missing=Missing(event=missing, policy_id_on_chain=on_chain),
    )


def _end(position: Position, events: Events) -> tuple[ChainEventRow, BlockRow]:
    """Where the pool ended the policy, or else where it began."""
    return events[PURCHASED if position.status is OnChainStatus.ACTIVE else _ENDED[position.status]]


def _agree(row: PolicyRow, entry: ChainPolicy, position: Position) -> bool:
    """Whether the statuses may stand together; the second of two steps may fail after the first has been done."""
    half_done = row.status_detailed == PolicyStatus.FAILED_EXPIRATION and position.status is OnChainStatus.ACTIVE
    return half_done or agrees(PolicyStatus(row.status_detailed), entry.status)


def _of_end(row: PolicyRow, entry: ChainPolicy, position: Position, events: Events) -> dict[str, object]:
    if row.status_detailed == PolicyStatus.FAILED_EXPIRATION:
        return {}
    told: dict[str, object] = {"status_on_chain": entry.status.value}
    if position.status is OnChainStatus.ACTIVE:
        return told
    told["tx_id_status_update"] = _end(position, events)[0].tx_id
    if position.status is OnChainStatus.SETTLED:
        told["settlement_amount_base_units"] = position.payout
        told["settlement_token"] = position.token
    return told


def _terms(row: PolicyRow, entry: ChainPolicy) -> Iterator[Finding]:
    told: dict[str, object] = {
        "owner_principal": entry.owner,
        "counterparty_principal": entry.counterparty,
        "protected_value_price_feed_units": entry.protected_value,
        "protected_amount_sats": entry.protected_amount,
        "expiration_height": entry.expiration_height,
        "policy_type": entry.policy_type,
    }
    ours = {name: getattr(row, name) for name in told}
    if ours != told:
        yield Finding(
            kind=Kind.TERMS,
            subject=str(row.id),
            ours={name: value for name, value in ours.items() if value != told[name]},
            chain={name: value for name, value in told.items() if value != ours[name]},
            policy_id=row.id,
        )
