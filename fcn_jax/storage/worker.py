"""Worker processes: Ctrl-C is their parent's to answer, and they end with it."""

import multiprocessing
import os
import signal
import threading


def serve_parent() -> None:
    """Make this process, a worker, leave Ctrl-C alone and end where its parent is gone.

    A parent that was killed tells nobody; its workers would wait for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
