"""What each answer of a node means for the bytes that it was offered: one table, for every reason it may give."""

from collections.abc import Mapping
from types import MappingProxyType

from registry.domain.transaction import Verdict
from registry.stacks.node import Accepted, BroadcastReason, Rejected

_R = BroadcastReason

VERDICTS: Mapping[BroadcastReason, Verdict] = MappingProxyType(
    {
        # the nonce is used or held, perhaps by these very bytes
        _R.BAD_NONCE: Verdict.RESOLVE,
        _R.CONFLICTING_NONCE: Verdict.RESOLVE,
        # a word that we do not know is no refusal
        _R.UNKNOWN: Verdict.RESOLVE,
        # the node, or what is before these bytes, has to get on first
        _R.TOO_MUCH_CHAINING: Verdict.RETRY,
        _R.ESTIMATOR_ERROR: Verdict.RETRY,
        _R.NO_SUCH_CHAIN_TIP: Verdict.RETRY,
        _R.DATABASE_FAILURE: Verdict.RETRY,
        _R.OTHER_FAILURE: Verdict.RETRY,
        _R.FEE_TOO_LOW: Verdict.RAISE_FEE,
        # every transaction of this key would be answered so
        _R.NOT_ENOUGH_FUNDS: Verdict.PAUSE,
        _R.SIGNATURE_VALIDATION: Verdict.PAUSE,
        _R.BAD_TRANSACTION_VERSION: Verdict.PAUSE,
        _R.SERIALIZATION: Verdict.PAUSE,
        _R.DESERIALIZATION: Verdict.PAUSE,
        # these bytes will never do
        _R.NO_SUCH_CONTRACT: Verdict.REFUSE,
        _R.NO_SUCH_PUBLIC_FUNCTION: Verdict.REFUSE,
        _R.BAD_FUNCTION_ARGUMENT: Verdict.REFUSE,
        _R.CONTRACT_ALREADY_EXISTS: Verdict.REFUSE,
        _R.BAD_ADDRESS_VERSION_BYTE: Verdict.REFUSE,
        _R.RECIPIENT_IS_SENDER: Verdict.REFUSE,
        _R.AMOUNT_NOT_POSITIVE: Verdict.REFUSE,
        _R.TEMPORARILY_BLACKLISTED: Verdict.REFUSE,
        _R.NO_COINBASE: Verdict.REFUSE,
        _R.NO_TENURE_CHANGE: Verdict.REFUSE,
        _R.POISON_DOES_NOT_CONFLICT: Verdict.REFUSE,
        _R.POISON_UNKNOWN_KEY: Verdict.REFUSE,
        _R.POISON_INVALID: Verdict.REFUSE,
    }
)


def verdict_on(answer: Accepted | Rejected) -> Verdict:
    """Say what an answer means; no usable answer at all is NodeUnavailable, which says whether it may be sent."""
    return Verdict.SENT if isinstance(answer, Accepted) else VERDICTS[answer.reason]
