"""A Stacks node with its API: what may be asked of it, and the values it answers with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from registry.domain.errors import Alarm, Unavailable
from registry.domain.units import BlockHash, BurnHeight, MicroStx, Nonce, Principal, StacksHeight, TxId
from registry.stacks.clarity import Value


class NodeUnavailable(Unavailable):
    """No usable answer: none at all, one that asks to wait, or one that is malformed.

    `maybe_sent` is false only where the node surely took nothing; whoever broadcast must else send the same
    bytes again. `retry_after` is in seconds, where the node named a time.
    """

    code = "node_unavailable"
    sentence = "{endpoint} gave no usable answer: {reason}"

    def __init__(self, figures: Mapping[str, object] | None = None, /, **more: object) -> None:
        """Take `endpoint` and `reason`; doubt is the default."""
        usual = {"status": None, "retry_after": None, "maybe_sent": True}
        super().__init__({**usual, **(figures or {}), **more})

    @property
    def maybe_sent(self) -> bool:
        """Whether the node may have taken what was sent."""
        return bool(self.figures["maybe_sent"])


class NotAsked(NodeUnavailable):
    """The call was not made: our share of the minute is used up, or the node fails and is left alone for a while."""

    code = "node_not_asked"
    sentence = "{endpoint} was not asked: {reason}"
    remedy = "try again in {retry_after} s"

    def __init__(self, figures: Mapping[str, object] | None = None, /, **more: object) -> None:
        """Take `endpoint`, `reason` and `retry_after`, in seconds; nothing was sent."""
        super().__init__({"maybe_sent": False, **(figures or {}), **more})


class TipGone(NodeUnavailable):
    """The block that was to be read at is not known, or not any more: read at a newer one."""

    code = "tip_gone"
    sentence = "{endpoint} does not know the block {tip}"
    remedy = "read again at the present tip"


class CallReadFailed(Alarm):
    """A contract's function that only reads failed: a wrong contract id, a wrong argument, or a spent budget."""

    code = "call_read_failed"
    sentence = "{contract_id} {function} could not be read: {cause}"
    remedy = "compare the configured contract ids with what is deployed; ask for fewer entries at once"


class ChainStatus(StrEnum):
    """What the chain says of a transaction. A word not listed here is UNKNOWN, which is never a failure."""

    PENDING = "pending"
    SUCCESS = "success"
    ABORT_BY_RESPONSE = "abort_by_response"
    ABORT_BY_POST_CONDITION = "abort_by_post_condition"
    PROBLEMATIC_SKIPPED = "problematic_skipped"
    DROPPED_REPLACE_BY_FEE = "dropped_replace_by_fee"
    DROPPED_REPLACE_ACROSS_FORK = "dropped_replace_across_fork"
    DROPPED_TOO_EXPENSIVE = "dropped_too_expensive"
    DROPPED_STALE_GARBAGE_COLLECT = "dropped_stale_garbage_collect"
    DROPPED_PROBLEMATIC = "dropped_problematic"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, _value: object) -> "ChainStatus":
        return cls.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A canonical block. `time` is the chain's own, in UTC: shown, never compared with our clock."""

    index_block_hash: BlockHash
    block_hash: str
    parent_index_block_hash: BlockHash
    height: StacksHeight
    burn_height: BurnHeight
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRef:
    """Where a transaction stands; the same height may come back under another hash."""

    height: StacksHeight
    index_block_hash: BlockHash
    burn_height: BurnHeight


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTransaction:
    """A transaction as the API shows it: mined canonically (with a block), or in the mempool.

    `result` is the consensus bytes of what the call returned. Success is `status`, never the result: a
    transaction aborted by a post-condition still shows `(ok …)`.
    """

    txid: TxId
    status: ChainStatus
    nonce: Nonce
    sender: Principal
    block: BlockRef | None
    result: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionPage:
    """A principal's mined transactions, newest first, without results; `older` asks for the next page."""

    transactions: tuple[SeenTransaction, ...]
    older: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractLog:
    """One `print` of a contract, as consensus bytes. Its block is its transaction's."""

    txid: TxId
    event_index: int
    contract_id: Principal
    topic: str
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """A contract's logs, newest first, canonical only; `older` asks for the next page.

    `total` is how many there are, None where the API does not say.
    """

    logs: tuple[ContractLog, ...]
    total: int | None
    older: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Micro-STX free and locked, and the nonce to use next, all at the node's tip."""

    balance: MicroStx
    locked: MicroStx
    nonce: Nonce


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalNonces:
    """The API's view of a principal's nonces, to cross-check our own table: it counts over gaps.

    For an account that never had a transaction mined, `missing` is always empty.
    """

    next_nonce: Nonce
    last_confirmed: Nonce | None
    last_pending: Nonce | None
    pending: tuple[Nonce, ...]
    missing: tuple[Nonce, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """The node about itself. Its burn height runs ahead of what contracts see: use the tip's."""

    network_id: int
    burn_block_height: BurnHeight
    stacks_tip_height: StacksHeight
    is_fully_synced: bool
    server_version: str


class BroadcastReason(StrEnum):
    """Why a node refuses a transaction, in the node's own words; UNKNOWN is any other word."""

    BAD_NONCE = "BadNonce"
    CONFLICTING_NONCE = "ConflictingNonceInMempool"
    TOO_MUCH_CHAINING = "TooMuchChaining"
    FEE_TOO_LOW = "FeeTooLow"
    NOT_ENOUGH_FUNDS = "NotEnoughFunds"
    SIGNATURE_VALIDATION = "SignatureValidation"
    BAD_TRANSACTION_VERSION = "BadTransactionVersion"
    SERIALIZATION = "Serialization"
    DESERIALIZATION = "Deserialization"
    NO_SUCH_CONTRACT = "NoSuchContract"
    NO_SUCH_PUBLIC_FUNCTION = "NoSuchPublicFunction"
    BAD_FUNCTION_ARGUMENT = "BadFunctionArgument"
    CONTRACT_ALREADY_EXISTS = "ContractAlreadyExists"
    BAD_ADDRESS_VERSION_BYTE = "BadAddressVersionByte"
    RECIPIENT_IS_SENDER = "TransferRecipientCannotEqualSender"
    AMOUNT_NOT_POSITIVE = "TransferAmountMustBePositive"
    TEMPORARILY_BLACKLISTED = "TemporarilyBlacklisted"
    ESTIMATOR_ERROR = "EstimatorError"
    NO_SUCH_CHAIN_TIP = "ServerFailureNoSuchChainTip"
    DATABASE_FAILURE = "ServerFailureDatabase"
    OTHER_FAILURE = "ServerFailureOther"
    NO_COINBASE = "NoCoinbaseViaMempool"
    NO_TENURE_CHANGE = "NoTenureChangeViaMempool"
    POISON_DOES_NOT_CONFLICT = "PoisonMicroblocksDoNotConflict"
    POISON_UNKNOWN_KEY = "PoisonMicroblockHasUnknownPubKeyHash"
    POISON_INVALID = "PoisonMicroblockIsInvalid"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, _value: object) -> "BroadcastReason":
        return cls.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The node took the bytes or knew them already. It is no proof that they will stay."""

    txid: TxId


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The node refused the bytes. `data` is its `reason_data` as JSON, `message` its own words."""

    reason: BroadcastReason
    data: Mapping[str, object]
    message: str


class StacksNode(Protocol):
    """Every method raises NodeUnavailable for want of a usable answer; none waits without limit."""

    def tip(self) -> Block:
        """Read the newest canonical block."""

    def block(self, ref: BlockHash | StacksHeight, /) -> Block | None:
        """Read a canonical block; None if there is none, or no longer. v1 finds by hash only what was read before."""

    def blocks(self, *, limit: int = 30, offset: int = 0) -> tuple[Block, ...]:
        """List canonical blocks, newest first, at most 30."""

    def transaction(self, txid: TxId, /) -> SeenTransaction | None:
        """Look up one transaction; None is unknown, never seen, or dropped: its nonce decides which."""

    def principal_transactions(
        self, principal: Principal, /, *, limit: int = 50, cursor: str | None = None
    ) -> TransactionPage:
        """List what a principal sent or was touched by, mined, newest first, at most 50."""

    def logs(
        self, contract_id: Principal, /, *, limit: int = 100, cursor: str | None = None, offset: int = 0
    ) -> LogPage:
        """List a contract's logs, newest first, at most 100, or as many as the API gives at once."""

    def oldest_log(self, contract_id: Principal, /) -> ContractLog | None:
        """Find a contract's first log; None if it has none."""

    def account(self, principal: Principal, /) -> Account:
        """Read balance and nonce; an account never seen has zeros."""

    def nonces(self, principal: Principal, /) -> PrincipalNonces:
        """Read what the API makes of a principal's nonces."""

    def info(self) -> NodeInfo:
        """Ask the node about itself."""

    def contract_exists(self, contract_id: Principal, /) -> bool:
        """Tell whether a contract is deployed at the tip."""

    def contract_source(self, contract_id: Principal, /) -> str | None:
        """Read the code that stands at a contract's id; None if there is no contract."""

    def call_read(
        self,
        contract_id: Principal,
        function: str,
        arguments: Sequence[Value] = (),
        *,
        sender: Principal,
        tip: BlockHash | None = None,
    ) -> Value:
        """Call a function that only reads, at `tip` or at the newest; raise TipGone or CallReadFailed."""

    def broadcast(self, raw: bytes, /) -> Accepted | Rejected:
        """Send a signed transaction; the same bytes again are accepted again."""

    def fee_estimate(self, payload: bytes, /, *, estimated_len: int) -> tuple[MicroStx, MicroStx, MicroStx] | None:
        """Estimate whole fees, low, middle and high; None if the node has nothing to go by."""

    def fee_rate(self) -> MicroStx:
        """Read the least fee per byte."""
