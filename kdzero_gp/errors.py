"""The errors a user can mend: each message says what was found, the rule, and the way out.

The command-line modules print the message and exit with `EXIT_CODE`; a library caller catches `KdzeroError`.
"""

EXIT_CODE = 2


class KdzeroError(Exception):
    """Base of every error whose cause lies in the input rather than in the program."""


class ParseError(KdzeroError):
    """A distiller's text form that cannot be read.

    Attributes:
        position: 0-based character position of the fault in the text.
    """

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class PrimitiveError(KdzeroError):
    """A primitive that breaks the contract of its declaration, or a name that clashes."""


class DataError(KdzeroError):
    """A data set that is missing, malformed or unknown."""


class ModelError(KdzeroError):
    """A model or a weight file that cannot be used."""


class TapError(KdzeroError):
    """A knowledge tap that does not exist, or does not give a tensor of the needed shape."""


class ConfigError(KdzeroError):
    """Options that are out of range or contradict one another."""


class StoreError(KdzeroError):
    """A run folder that cannot be created, opened, locked or written."""


class Stop(BaseException):
    """Ends a computation from outside: no Exception, so that no `except Exception` of an operation can swallow it."""
