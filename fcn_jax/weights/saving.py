"""From the variables of a net to a file: for PyTorch, for NumPy, or as a run."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from flax.typing import VariableDict

from fcn_jax import models
from fcn_jax.models import MODELS
from fcn_jax.models.network import Network
from fcn_jax.ops import bilinear
from fcn_jax.preprocessing import CAFFE, Preprocessing
from fcn_jax.storage import files, trees
from fcn_jax.storage.files import JsonObject
from fcn_jax.weights import names, provenance
from fcn_jax.weights import variables as variables_of
from fcn_jax.weights.formats import npz, orbax, safetensors

_PARTS = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


def save_weights(
    path: str | Path,
    variables: VariableDict,
    model: Network,
    *,
    preprocessing: Preprocessing = CAFFE,
    facts: Mapping[str, str] | None = None,
    record: JsonObject | None = None,
) -> None:
    """Write a net's variables, whole or not at all.

    The name of `path` chooses the form: `.safetensors` has PyTorch's names and layouts
    (see `to_pytorch`), `.npz` ours ("params/conv1_1/kernel", [rows, columns, in, out]);
    a name without a suffix becomes a run's directory, from which `train.py` starts
    (config.init_from) and which `eval.py` evaluates.

    Args:
        path: What to write. A directory must not exist yet.
        variables: What `model.init` or `load_weights` made.
        model: The net.
        preprocessing: What it is given; recorded.
        facts: What a `.safetensors` says beside that.
        record: What a run's directory does, as checkpoints of runs: "config", whose
            options of the net become those of `model`, "classes", "colours".

    Raises:
        ValueError: If the name has another suffix, or the variables are not those of
            the net.
        FileExistsError: If the directory is there.
        IsADirectoryError: If a directory has the name of the file.
        NotADirectoryError: If what it is to be in is a file.
        OSError: If it cannot be written; what was at `path` is still there then.
        ImportError: If the package that writes the format is missing.
    """
    path = Path(path)
    check_out(path)
    metadata = {**describe(model, preprocessing), **(facts or {})}
    _check(variables, model)
    if path.suffix == ".safetensors":
        arrays = to_pytorch(variables, model)
        _write_whole(path, lambda part: safetensors.write(part, arrays, metadata))
    elif path.suffix == ".npz":
        arrays = trees.flatten(variables)
        arrays |= provenance.to_arrays(model, preprocessing)
        _write_whole(path, lambda part: npz.write(part, arrays))
    else:
        metadata = _run_metadata(model, preprocessing, record or {})
        _say_where(path, lambda: orbax.write(path, variables, metadata))


def _write_whole(path: Path, write: Callable[[Path], object]):
    _say_where(path, lambda: files.write_whole(path, write))


def _say_where(path: Path, write: Callable[[], object]):
    try:
        write()
    except OSError as error:
        raise OSError(
            f"{path} could not be written ({error.__cause__ or error}); what was there "
            f"is as it was. {files.remedy(error, otherwise='Make room')}."
        ) from error


def check_out(path: Path) -> None:
    """Refuse a name that cannot be written, before any work is done.

    Raises:
        ValueError: If the suffix is of no form.
        FileExistsError: If it is to be a directory, and is there.
        IsADirectoryError: If it is to be a file, and is a directory.
        NotADirectoryError: If what it is to be in is a file.
        OSError: If nothing can be written there.
    """
    if path.suffix not in (".safetensors", ".npz", ""):
        raise ValueError(
            f"{path}: weights are written as .safetensors (names and layouts of "
            f"PyTorch), .npz (ours) or, without a suffix, a run's directory; "
            f"{path.suffix!r} is none of these."
        )
    if path.suffix == "" and path.exists():
        raise FileExistsError(
            f"{path} exists; give the directory of the new run another name."
        )
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory; give the name of a file.")
    files.check_place(path)


def to_pytorch(variables: VariableDict, model: Network) -> dict[str, np.ndarray]:
    """The state dict of the same net in PyTorch.

    Layers have the names of the Caffe nets (and of wkentaro/pytorch-fcn). Kernels of
    convolutions become [out, in, rows, columns], those of transposed ones [in, out,
    rows, columns], without a flip; BatchNorm has weight, bias, running_mean and
    running_var. Fixed upsampling is written out as its bilinear kernels, `upscore*`.

    The at-once net multiplies pool4 and pool3 by `skip_scales` before their scores, as
    its PyTorch counterpart must. To run one in a plain FCN-8s, load it into
    `fcn_jax.create("fcn8s")` first, which folds the factors into the scores.

    Args:
        variables: `params`, and perhaps `batch_stats`.
        model: The net.

    Returns:
        Arrays by name, in the dtype of the variables.
    """
    found = {}
    for name, x in trees.flatten(variables).items():
        _, layer, part = name.split("/")
        if part == "kernel":
            x = x.transpose(
                (2, 3, 0, 1) if names.is_transposed(layer) else (3, 2, 0, 1)
            )
        found[f"{layer}.{_PARTS[part]}"] = np.ascontiguousarray(x)
    dtype = next(iter(found.values())).dtype
    for layer, (size, count) in model.fixed_upsampling().items():
        kernel = bilinear.bilinear_kernel(size, count)
        found[f"{layer}.weight"] = np.ascontiguousarray(
            kernel.transpose(2, 3, 0, 1), dtype
        )
    return found


def model_name(model: Network) -> str:
    """The name under which `fcn_jax.create` knows a net.

    Raises:
        ValueError: If it knows none such.
    """
    for name, cls in MODELS.items():
        if cls is type(model):
            return name
    raise ValueError(
        f"save_weights: {type(model).__name__} is none of the nets that have a form "
        f"for weights, {', '.join(MODELS)}; of a net with a CRF behind it save the "
        f"network, without the variables of the CRF."
    )


def describe(model: Network, preprocessing: Preprocessing) -> dict[str, str]:
    """What must be known to use the weights, as text.

    Args:
        model: The net.
        preprocessing: What it is given.
    """
    name = model_name(model)
    encoder = models.encoder_name(model)
    return {
        "model": name,
        "num_classes": json.dumps(model.num_classes, default=dict),
        "padding": str(models.options_of(model).get("padding", "")),
        **({"encoder": encoder} if encoder else {}),
        **provenance.to_text(model, preprocessing),
    }


# Options that say how a net is trained or computed, not which net it is.
_OF_TRAINING = {
    *("dtype", "param_dtype", "axis_name", "full_padding", "regions_at_once"),
    *("dropout_rate", "mlp_dropout", "bn_momentum", "bn_shift", "freeze_batch_norm"),
    *("decoder_start", "preprocessing"),  # The latter is recorded beside them.
}


def _run_metadata(model: Network, preprocessing: Preprocessing, record: JsonObject):
    known = models.options_of(model).items()
    options = {name: value for name, value in known if name not in _OF_TRAINING}
    if encoder := models.encoder_name(model):
        options["encoder"] = encoder
    counts = model.num_classes if model.heads.keys() == {""} else model.heads
    options |= {"name": model_name(model), "num_classes": counts}
    if "config" in record:
        config = dict(record["config"])
        record = record | {"config": config | {"model": config["model"] | options}}
    return {**record, "preprocessing": preprocessing.to_dict(), "model": options}


def _check(variables: VariableDict, model: Network):
    """Refuse variables of another net, whose weights would go under false names."""
    expected = variables_of.shapes(model)
    given = trees.leaves(variables)
    for name in sorted(expected.keys() | given.keys()):
        wanted = expected[name].shape if name in expected else None
        found = np.shape(given[name]) if name in given else None
        if wanted != found:
            raise ValueError(
                f"save_weights: {name} is {found or 'absent'} in the variables and "
                f"{wanted or 'absent'} in {type(model).__name__}; pass the variables "
                f"with the net that they are of."
            )
