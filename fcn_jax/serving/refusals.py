"""What is answered where a request is not: a status of HTTP, and one line."""

BAD, FORBIDDEN, TIMED_OUT, TOO_LARGE, NO_IMAGE, BUSY = 400, 403, 408, 413, 415, 503


class Refusal(Exception):
    """A request that is not answered, by a fault of its own or because many wait.

    Attributes:
        status: Of HTTP.
    """

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status
