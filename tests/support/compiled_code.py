"""Scripts of tests whose main thread is in compiled code, where no handler runs."""

# Defines `lock` and `mutex`, held already; `compiled()`, which does not return from it;
# and `ask()`, which sends the signal of the first argument once it is in there.
IN_A_MUTEX = """
import ctypes, os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # As in the foreground.
from fcn_jax.runs import stopping
libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(256)
libc.pthread_mutex_init(mutex, None)
lock, unlock = libc.pthread_mutex_lock, libc.pthread_mutex_unlock
lock(mutex)


def compiled():
    lock(mutex)  # No handler runs before it returns.


def ask():
    code, main = compiled.__code__, threading.main_thread().ident
    while True:  # Until it is in there: from that line on no Python is run.
        frame = sys._current_frames()[main]
        if frame.f_code is code and frame.f_lineno > code.co_firstlineno:
            break
        time.sleep(0.01)
    os.kill(os.getpid(), int(sys.argv[1]))
"""
