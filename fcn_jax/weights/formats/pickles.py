"""Pickles read as data: a stack machine that calls nothing.

What a pickle may name is handed in, and what it "calls" becomes a `Call`, a record of
the name and the arguments. Memory is bounded by the length of the pickle: every
operation adds at most a constant number of objects, or as many bytes as it has.

References:
    Python, Lib/pickletools.py: what every opcode does.
"""

import dataclasses
import mmap
import pickletools
import warnings
from collections.abc import Callable, Collection
from typing import BinaryIO, cast

# More than any checkpoint has; a file with more would take minutes.
_MOST_OPERATIONS = 5_000_000


class PickleError(ValueError):
    """A pickle that is torn, or that asks for something that is not given."""


@dataclasses.dataclass(frozen=True)
class Global:
    """A class or function that a pickle names; it is not imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclasses.dataclass(eq=False)
class Call:
    """What unpickling would call: recorded, not done.

    Attributes:
        function: What.
        arguments: With what.
        items: Pairs that were then put into the result, as into a dict.
        state: What was then handed to `__setstate__`.
    """

    function: Global
    arguments: tuple[object, ...]
    items: list[tuple[object, object]] = dataclasses.field(default_factory=list)
    state: object = None


_CONSTANTS = {
    "NONE": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
}
_VALUES = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4",
    "FLOAT", "BINFLOAT",
    "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "STRING", "BINSTRING", "SHORT_BINSTRING",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
}  # fmt: skip
_SHORT_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MARK = object()


def load(
    file: "BinaryIO | mmap.mmap",
    allowed: Collection[str],
    persistent: Callable[[object], object] | None = None,
) -> object:
    """Read one pickle.

    Args:
        file: Open where it begins; left where it ends.
        allowed: The names that it may name, such as "collections.OrderedDict".
        persistent: What makes an object of a persistent id; None: there are none.

    Returns:
        Dicts, lists, tuples, sets as lists, strings, bytes, numbers and `Call`s.

    Raises:
        PickleError: If it is torn, names anything else, or uses an operation that no
            file of weights needs.
    """
    machine = _Machine(allowed, persistent)
    try:
        with warnings.catch_warnings():
            # pickletools warns of escapes in damaged text, which may be an error.
            warnings.simplefilter("ignore", DeprecationWarning)
            for count, (opcode, argument, _) in enumerate(
                pickletools.genops(cast("BinaryIO", file))
            ):
                if count == _MOST_OPERATIONS:
                    raise PickleError(
                        f"it has more than {_MOST_OPERATIONS:,} operations"
                    )
                if opcode.name == "STOP":
                    return machine.pop()
                machine.run(opcode.name, argument)
    except PickleError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise PickleError(
            f"it is no pickle, or a torn one ({type(error).__name__}: {error})"
        ) from error
    raise PickleError("it does not end")


class _Stack:
    """The values that a pickle has made so far, and what makes plain ones.

    Methods `_name` do what the opcode NAME does, with its argument.
    """

    def __init__(self):
        self.stack = []

    def pop(self):
        value = self.stack.pop()
        if value is _MARK:
            raise PickleError("a mark stands where a value should")
        return value

    def pop_to_mark(self):
        values = []
        while (value := self.stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def _mark(self, _: object):
        self.stack.append(_MARK)

    def _pop(self, _: object):
        self.stack.pop()

    def _pop_mark(self, _: object):
        self.pop_to_mark()

    def _dup(self, _: object):
        self.stack.append(self.pop())
        self.stack.append(self.stack[-1])

    def _empty_tuple(self, _: object):
        self.stack.append(())

    def _tuple(self, _: object):
        self.stack.append(tuple(self.pop_to_mark()))

    def _empty_list(self, _: object):
        self.stack.append([])

    def _list(self, _: object):
        self.stack.append(self.pop_to_mark())

    def _append(self, _: object):
        value = self.pop()
        self.list_at_top().append(value)

    def _appends(self, _: object):
        values = self.pop_to_mark()
        self.list_at_top().extend(values)

    def list_at_top(self):
        if not isinstance(self.stack[-1], list):
            raise PickleError("it appends to what is no list")
        return self.stack[-1]

    def _empty_set(self, _: object):
        self.stack.append([])

    def _additems(self, _: object):
        self._appends(_)

    def _empty_dict(self, _: object):
        self.stack.append({})

    def _dict(self, _: object):
        values = self.pop_to_mark()
        self.stack.append({})
        self.set_items(values)

    def _setitem(self, _: object):
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def _setitems(self, _: object):
        self.set_items(self.pop_to_mark())

    def set_items(self, values: list[object]):
        pairs = list(zip(values[::2], values[1::2], strict=True))
        target = self.stack[-1]
        if isinstance(target, Call):
            target.items.extend(pairs)
        elif isinstance(target, dict):
            for key, value in pairs:
                # Hashing a tuple that a pickle nests without end would not end.
                if not isinstance(key, str | int | float | bytes | None):
                    raise PickleError(f"a key of a dict is a {type(key).__name__}")
                target[key] = value
        else:
            raise PickleError("it sets items of what is no dict")


class _Machine(_Stack):
    """All operations: with a memo, and with what unpickling would import and call."""

    def __init__(
        self, allowed: Collection[str], persistent: Callable[[object], object] | None
    ):
        super().__init__()
        self.allowed, self.persistent = allowed, persistent
        self.memo = {}

    def run(self, name: str, argument: object):
        push = self.stack.append
        if name in _VALUES:
            push(argument)
        elif name in _CONSTANTS:
            push(_CONSTANTS[name])
        elif name in _SHORT_TUPLES:
            count = _SHORT_TUPLES[name]
            values = [self.pop() for _ in range(count)]
            push(tuple(values[::-1]))
        else:
            operation = getattr(self, f"_{name.lower()}", None)
            if operation is None:
                raise PickleError(
                    f"it uses the operation {name}, which no file of weights needs"
                )
            operation(argument)

    def _proto(self, version: int):
        if version > 5:
            raise PickleError(f"its protocol is {version}, the newest known is 5")

    def _frame(self, size: int):
        """Only a hint for readers that buffer."""

    def _put(self, index: int):
        self.memo[index] = self.stack[-1]

    _binput = _long_binput = _put

    def _memoize(self, _: object):
        self.memo[len(self.memo)] = self.stack[-1]

    def _get(self, index: int):
        self.stack.append(self.memo[index])

    _binget = _long_binget = _get

    def _global(self, names: str):
        module, _, name = names.partition(" ")
        self.push_global(module, name)

    def _stack_global(self, _: object):
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise PickleError("it names a global by what is no text")
        self.push_global(module, name)

    def push_global(self, module: str, name: str):
        named = Global(module, name)
        if str(named) not in self.allowed:
            raise PickleError(f"it asks for {named}, which is refused")
        self.stack.append(named)

    def _reduce(self, _: object):
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise PickleError("it calls what is no function")
        self.stack.append(Call(function, arguments))

    _newobj = _reduce

    def _build(self, _: object):
        state = self.pop()
        if not isinstance(self.stack[-1], Call):
            raise PickleError("it sets the state of what has none")
        self.stack[-1].state = state

    def _binpersid(self, _: object):
        self.push_persistent(self.pop())

    def _persid(self, name: str):
        self.push_persistent(name)

    def push_persistent(self, name: object):
        if self.persistent is None:
            raise PickleError("it refers to something outside itself")
        self.stack.append(self.persistent(name))
