"""What the codec refuses.

CodecError
├── DecodeError       bytes or text that are not the one encoding of anything
├── EncodeError       a value that the chain has no bytes for; raised when it is made
└── SignatureError    a signature that does not bind the signer it is given for
"""


class CodecError(ValueError):
    """Input that the chain would refuse; `args` are the figures, so that it travels between processes."""


class DecodeError(CodecError):
    """Bytes or text that are not the one encoding of anything: where, and why."""

    def __init__(self, what: str, offset: int, reason: str) -> None:
        self.what = what
        self.offset = offset
        self.reason = reason
        super().__init__(what, offset, reason)

    def __str__(self) -> str:
        return f"cannot decode {self.what} at offset {self.offset} because {self.reason}"


class EncodeError(CodecError):
    """A value that the chain has no bytes for."""

    def __init__(self, what: str, reason: str) -> None:
        self.what = what
        self.reason = reason
        super().__init__(what, reason)

    def __str__(self) -> str:
        return f"cannot encode {self.what} because {self.reason}"


class SignatureError(CodecError):
    """A signature that does not bind the signer it is given for."""

    def __init__(self, what: str, reason: str) -> None:
        self.what = what
        self.reason = reason
        super().__init__(what, reason)

    def __str__(self) -> str:
        return f"cannot trust {self.what} because {self.reason}"
