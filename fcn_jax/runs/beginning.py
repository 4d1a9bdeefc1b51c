"""Where a run begins: fresh parameters, those of another run, or a checkpoint."""

from pathlib import Path

import optax

from fcn_jax import training, weights
from fcn_jax.config.parts import RunParts
from fcn_jax.data import contracts
from fcn_jax.runs import progress, recorded, standardization
from fcn_jax.storage import checkpoints, trees
from fcn_jax.storage.files import JsonObject
from fcn_jax.weights import fetching


def initial_state(
    parts: RunParts, saved: checkpoints.Checkpoint | None, workdir: Path
) -> tuple[training.TrainState, optax.GradientTransformation, JsonObject]:
    """The state to go on from, its optimiser, and what the run remembers beside it.

    Args:
        parts: Of the run.
        saved: Its newest checkpoint; None: it begins.
        workdir: Of the run.

    Returns:
        The state, on the host or one device; the optimiser; and by name `best`,
        `losses`, `data`, `eval_data` and `boxsup`, as far as the checkpoint has them.

    Raises:
        ValueError: If the checkpoint is of more steps, or of other classes.
    """
    config = parts.config
    variables = training.init_variables(parts.model, config.seed)
    if saved is None and config.init_from:
        names = getattr(parts.model.network, "streams", ())
        start, known_inputs = fetching.starts_of(config.init_from, names)
        variables, _ = weights.load_weights(
            start,
            parts.model,
            strict=False,
            preprocessing=parts.preprocessing,
            inputs=config.init_inputs or known_inputs,
            initial=variables,
            least=config.init_least if "init_least" in config else 0.0,
            verbose=True,
        )
        progress.note(recorded.note_of_init(config.init_from, parts.train_source))
    if saved is None:
        variables = standardization.standardized(parts, variables)
    optimizer = parts.optimizer(variables["params"])
    state = training.create_state(variables, optimizer)
    if saved is None:
        return state, optimizer, {"best": None, "losses": []}
    if saved.step > config.num_steps:
        raise ValueError(
            f"{workdir} has done {saved.step} steps, more than config.num_steps="
            f"{config.num_steps}; give as many or more, or a fresh --workdir."
        )
    heads = contracts.heads_of(parts.train_source)
    recorded.check_classes(heads, saved.metadata, workdir)
    print(f"going on from step {saved.step} in {workdir}", flush=True)
    state = trees.into_state(saved.arrays, state)
    progress.note(recorded.note_of_weights(parts.class_weights, saved.metadata))
    names = ("best", "losses", "data", "eval_data", "boxsup")
    memory = {name: saved.metadata.get(name) for name in names}
    return state, optimizer, memory
