"""What a service's key may do, and why nobody is let in."""

from enum import StrEnum

from registry.domain.errors import Refusal, Unavailable


class Scope(StrEnum):
    """One kind of thing; a holder who signed in with a wallet needs none for what is his."""

    READ = "read"
    POOL = "pool"
    EVENTS = "events"
    OPERATOR = "operator"


class NotLetIn(Refusal):
    """Whoever asks is not known, or is no more; no figure says what he sent."""

    code = "unauthorized"
    remedy = "sign in again: ask for a challenge (POST /v1/challenges) and sign it"


class ChallengeForged(NotLetIn):
    """We never gave that challenge to that address, on this site, for this network."""

    code = "challenge_forged"
    sentence = "that is no challenge of ours for this address, site and network"


class ChallengeExpired(NotLetIn):
    """It was answered too late."""

    code = "challenge_expired"
    sentence = "the challenge ran out at {expires_at}"


class ChallengeUsed(NotLetIn):
    """Somebody signed in with it already."""

    code = "challenge_used"
    sentence = "the challenge was answered before"


class SignatureWrong(NotLetIn):
    """It is none, or not of this address's key and this very challenge."""

    code = "signature_wrong"
    sentence = "the signature is not that of this address under this challenge"


class TokenInvalid(NotLetIn):
    """Nobody was given that token, or not by this site for this network."""

    code = "token_invalid"
    sentence = "that is no token of ours"


class TokenExpired(NotLetIn):
    """It is over, or was exchanged for a newer one."""

    code = "token_expired"
    sentence = "the token is over: {reason}"


class SessionEnded(NotLetIn):
    """The session was signed out, or is as old as one may be."""

    code = "session_ended"
    sentence = "the session is over: {reason}"


class KeyUnknown(NotLetIn):
    """No service has that key; whether its prefix is anybody's is not said."""

    code = "key_unknown"
    sentence = "that is no key of ours"
    remedy = "ask the registry's operators for a key"


class KeyEnded(NotLetIn):
    """The key is right, and over."""

    code = "key_ended"
    sentence = "the key {prefix} is over: {reason}"
    remedy = "ask the registry's operators for a new key"


class SignInOff(Unavailable):
    """This front door was given no secret to sign challenges and tokens with."""

    code = "front_secret_file_missing"
    sentence = "nobody can sign in here: REGISTRY_FRONT_SECRET_FILE names no file"
