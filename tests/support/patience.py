"""How long a test waits for what comes soon, unless the machine is busy, or never."""

SECONDS = 600
