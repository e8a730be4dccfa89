"""The error tree. The branch says what to do next.

RegistryError
├── Refusal                 the request will never do as it stands; its caller changes it
│   ├── BadRequest          malformed, or outside what is sold
│   ├── Conflict            the policy, quote or key has moved on
│   └── NoCapacity          the pool is short
├── Unavailable             nothing is wrong with the request; the same one may do later
└── Alarm                   what must not happen has; a person looks

An error holds figures and writes its own sentence from them. Its `args` are the figures alone, so that it
travels as JSON through a result backend and comes back as the same class.
"""

from collections.abc import Mapping
from typing import ClassVar


class RegistryError(Exception):
    """A typed error: `code` for programs, `sentence` and `remedy` for people, `figures` for both."""

    code: ClassVar[str] = "registry_error"
    sentence: ClassVar[str] = "something is wrong"
    remedy: ClassVar[str] = "look at the log"

    def __init__(self, figures: Mapping[str, object] | None = None, /, **more: object) -> None:
        """Take figures that JSON can hold, by name."""
        self.figures: dict[str, object] = {**(figures or {}), **more}
        super().__init__(self.figures)

    def __str__(self) -> str:
        """Say what happened and what to do."""
        return f"{self.sentence.format_map(self.figures)}; {self.remedy.format_map(self.figures)}"

    def as_json(self) -> dict[str, object]:
        """Code, sentence, remedy and figures, as a caller receives them."""
        return {"code": self.code, "sentence": str(self), "figures": self.figures}


class Refusal(RegistryError):
    """The request will never do as it stands."""

    code = "refused"


class BadRequest(Refusal):
    """Malformed, or outside what is sold."""

    code = "bad_request"
    sentence = "{field} is not usable: {reason}"
    remedy = "correct {field} and ask again"


class BadCursor(BadRequest):
    """A page was asked for that no page of this question led to."""

    code = "bad_cursor"
    sentence = "the cursor is not the `next` of a page of this question"
    remedy = "ask the same question as for the page before, or begin at the first page"


class HeightNotKept(BadRequest):
    """What held at a height cannot be told: it has not come, or it passed before times were kept."""

    code = "height_not_kept"
    sentence = "what held at height {height} is not known, that of {lowest} to {highest} is"
    remedy = "ask for a height in between"


class Conflict(Refusal):
    """The policy, quote or key has moved on since."""

    code = "conflict"


class NoCapacity(Refusal):
    """The pool is short."""

    code = "no_capacity"
    sentence = "the {tier} tier has {free} {token} base units free, this policy needs {needed}"
    remedy = "ask for a smaller amount, the other token, or later"


class Unavailable(RegistryError):
    """Nothing is wrong with the request; the same one may do later."""

    code = "unavailable"
    remedy = "try again later"


class DatabaseUnavailable(Unavailable):
    """Postgres gave no answer, or broke off; what was begun has been rolled back."""

    code = "database_unavailable"
    sentence = "the database does not answer: {reason}"


class NoBlockYet(Unavailable):
    """No block of the chain has been applied, so no height is known."""

    code = "no_block_yet"
    sentence = "no block of the chain has been applied yet"


class Alarm(RegistryError):
    """What must not happen has; a person looks."""

    code = "alarm"


class IdempotencyKeyReused(Conflict):
    """The key has been used for something else."""

    code = "idempotency_key_reused"
    sentence = "the idempotency key {key} was used for another request"
    remedy = "use a new key for a new request, the same body for the same one"


class PolicyNotFound(BadRequest):
    """No such policy, or not this owner's: both look the same."""

    code = "policy_not_found"
    sentence = "{owner} has no policy {policy}"
    remedy = "list its policies, to see which there are"


class QuoteOver(Conflict):
    """A quote that was bought, or has ended, cannot be declined."""

    code = "quote_over"
    sentence = "policy {policy} is {status}: there is no quote of it to decline any more"
    remedy = "look at its status; a policy that was bought runs until it ends"


class PolicyNotActive(Conflict):
    """What was asked needs an Active policy."""

    code = "policy_not_active"
    sentence = "policy {policy} is {status}, not Active"
    remedy = "look at its status; only an Active policy can be activated"


class PolicyRanOut(Conflict):
    """The expiration height has passed."""

    code = "policy_ran_out"
    sentence = "policy {policy} ran out at height {expiration_height}, the chain is at {height}"
    remedy = "nothing can be asked of it any more"


class ActivationOpen(Conflict):
    """A request is open already."""

    code = "activation_open"
    sentence = "policy {policy} has an open activation request"
    remedy = "wait for its decision"


class EuropeanStyle(Conflict):
    """A European policy is decided when it is due, by the sweep."""

    code = "european_style"
    sentence = "policy {policy} is European: it is decided at height {expiration_height}"
    remedy = "wait; nothing needs to be asked"
