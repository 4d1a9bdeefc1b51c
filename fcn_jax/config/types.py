"""What a config is to a type checker."""

from typing import TYPE_CHECKING, Any, TypeAlias

import ml_collections

if TYPE_CHECKING:

    class Config(ml_collections.ConfigDict):
        """A ConfigDict whose keys have no types that could be known."""

        def __getattr__(self, name: str) -> Any: ...

else:
    Config: TypeAlias = ml_collections.ConfigDict
