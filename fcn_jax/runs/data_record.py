"""The data of a run, held against those that it began with."""

from collections.abc import Mapping
from pathlib import Path

from fcn_jax.data import fingerprints
from fcn_jax.data.contracts import Source
from fcn_jax.data.fingerprints import FileDigests, Fingerprint
from fcn_jax.runs import recorded

DIGESTS = "data_digests.json"


class DataRecord:
    """The fingerprints of a run's data, and what its checkpoint says of them.

    Args:
        train: What it is trained on.
        scored: What it is scored on.
        workdir: Of the run, where the digests of files are kept.

    Attributes:
        metadata: What a checkpoint records: "data" and "eval_data".
    """

    def __init__(self, train: Source, scored: Source, workdir: Path):
        self._workdir = workdir
        self._sources = {"data": train, "eval_data": scored}
        self._digests = FileDigests(workdir / DIGESTS)
        self.metadata = self._look()

    def _look(self) -> dict[str, Fingerprint]:
        return {
            name: fingerprints.of(source, self._digests)
            for name, source in self._sources.items()
        }

    def check(self, memory: Mapping[str, Fingerprint | None], allowed: bool) -> None:
        """Refuse other training data than a run began with; tell of other scored ones.

        These change no parameter: a wrong mask of theirs may be mended on the way.

        Args:
            memory: Of a checkpoint: "data" and "eval_data", where it has them.
            allowed: Whether the training data may have changed.

        Raises:
            ValueError: Naming what differs.
        """
        before = {name: memory.get(name) or {} for name in self.metadata}
        if any(
            fingerprints.differing(self.metadata[name], then)
            for name, then in before.items()
        ):  # It may be the digests that are wrong.
            self._digests.forget()
            self.metadata = self._look()
        if not allowed:
            recorded.check_data(
                self.metadata["data"], memory.get("data"), self._workdir
            )
        then = before["eval_data"]
        differing = fingerprints.differing(self.metadata["eval_data"], then)
        if differing:
            print(
                f"note: what this run is scored on has changed since its last "
                f"checkpoint (its {', '.join(differing)}): scores of before, and the "
                f"best of them, are of other images or masks",
                flush=True,
            )

    def keep(self) -> None:
        """Write down the digests of files, so that the next start reads none again.

        Raises:
            OSError: If the directory cannot be written to.
        """
        self._digests.save()
