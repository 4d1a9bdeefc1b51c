"""A source whose reading ends the process that reads, as a lack of memory does."""

import os
import signal


class Ended:
    def __len__(self):
        return 8

    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGKILL)
