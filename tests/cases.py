"""The table of all models: every entry goes through the same contracts."""

from typing import Any, NamedTuple

import fcn_jax.models


class Case(NamedTuple):
    """A model as the contract tests build it: small, with every layer that it has."""

    model: str  # Key of fcn_jax.models.MODELS.
    options: dict[str, Any]

    def __str__(self):
        options = [v if isinstance(v, str) else k for k, v in self.options.items()]
        return "-".join([self.model, *options])

    def create(self, **options):
        small = {"num_classes": 3, "width": 1 / 32, "fc_features": 256}
        return fcn_jax.models.create(self.model, **small | self.options | options)


CASES = tuple(
    Case(model, {"padding": padding} | batch_norm)
    for model in ("fcn32s", "fcn16s", "fcn8s", "fcn8s_atonce")
    for padding in ("caffe", "same")
    for batch_norm in ({}, {"batch_norm": True})
)
