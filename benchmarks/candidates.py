"""A step computed in several ways, side by side on one device: which is the fastest?

python -m benchmarks.candidates                          # FCN-8s, training, bfloat16
python -m benchmarks.candidates --net deconvnet --limit 240
python -m benchmarks.candidates --only channels_8 full_margin
python -m benchmarks.candidates --smoke                  # a tiny net, any device

The step is that of fcn_jax train or eval. Each candidate, the most telling first, is
compiled and at once timed in turns with the step as it is; none is begun when --limit
is up, and what is known by then is kept in --out, whatever becomes of this process.
Prints a line a candidate, then JSON: the median in ms, and what it is of the time of
the step as it is in the same turns ("ratio", below 1: faster), or why a candidate could
not be measured; and what compiling took. Programs and tuned operations of other runs
are used where $JAX_COMPILATION_CACHE_DIR has them ("from_cache", "tuned"), and in this
process XLA knows what it has tuned for those before: "compile_s" says how long this
took, and is no start's. For the same reason a candidate whose options change how XLA
tunes takes what was tuned without them; `benchmarks.tuning` has each such way in a
process of its own. Ways of this package are `fcn_jax.ops.choices`; others are options
of the network, of XLA and of JAX.
"""

import argparse
import contextlib
import dataclasses
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping

import jax

from benchmarks.common import compiling, formats, machine, steps, time_limits, timing
from fcn_jax.ops import choices
from fcn_jax.ops.choices import Choices

AS_IS = "as_is"


DEFAULT = Choices()


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A way to compute a step.

    Attributes:
        choices: Of this package.
        model: Options of the network.
        compiler: Options of XLA.
        random: The generator of JAX's random bits; "": its default.
        families: The nets that know it; (): all.
        free_layouts: Whether the state lies on the device as XLA chooses.
    """

    choices: Choices = DEFAULT
    model: Mapping[str, object] = dataclasses.field(default_factory=dict)
    compiler: Mapping[str, str | bool | int] = dataclasses.field(default_factory=dict)
    random: str = ""
    families: tuple[str, ...] = ()
    free_layouts: bool = False


# The most telling first.
CANDIDATES = {
    AS_IS: Candidate(),
    "relu_by_argument": Candidate(Choices(relu_by_result=False)),
    "whole_logits": Candidate(
        Choices(fused_upsampling=False), families=("fcn8s", "fcn16s", "fcn32s")
    ),
    "free_layouts": Candidate(Choices(ordered_gradients=False), free_layouts=True),
    "channels_8": Candidate(Choices(image_channels=8)),
    "full_margin": Candidate(model={"full_padding": True}, families=("fcn8s",)),
    "wide_scores": Candidate(Choices(narrow_scores=False)),
    "gradients_as_they_come": Candidate(Choices(ordered_gradients=False)),
    "channels_4": Candidate(Choices(image_channels=4)),
    "bias_by_product": Candidate(Choices(bias_by_product=True)),
    "rbg": Candidate(random="rbg"),
    "latency_hiding": Candidate(
        compiler={"xla_gpu_enable_latency_hiding_scheduler": True}
    ),
    "no_command_buffers": Candidate(compiler={"xla_gpu_enable_command_buffer": ""}),
    "no_triton_gemm": Candidate(compiler={"xla_gpu_enable_triton_gemm": False}),
    "deterministic": Candidate(compiler={"xla_gpu_deterministic_ops": True}),
    "without_nondeterministic": Candidate(
        compiler={"xla_gpu_exclude_nondeterministic_ops": True}
    ),
    "no_autotuning": Candidate(compiler={"xla_gpu_autotune_level": 0}),
}


@contextlib.contextmanager
def _computed_by(candidate: Candidate) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(choices.using(candidate.choices))
        if candidate.random:
            stack.enter_context(jax.default_prng_impl(candidate.random))
        yield


def traced(
    candidate: Candidate, case: steps.Case, task: str, devices: list, dtype: str
) -> tuple[steps.Step, jax.stages.Lowered]:
    """The step of a candidate, and what is to be compiled.

    Args:
        candidate: The way to compute it.
        case: The net and its batch.
        task: Of `steps.TASKS`.
        devices: That would take it.
        dtype: Of the activations.
    """
    with _computed_by(candidate):
        step = steps.build_step(case, task, devices, dtype, **candidate.model)
        if candidate.free_layouts:
            step = formats.automatic(step, devices)
        return step, steps.lower(step, devices)


def prepare(
    candidate: Candidate, case: steps.Case, task: str, dtype: str
) -> tuple[dict[str, object], Callable[[], object]]:
    """Compile a candidate: what that took, and a function that runs it once."""
    devices = jax.local_devices()[:1]
    step, lowered = traced(candidate, case, task, devices, dtype)
    compiled, found = compiling.compiled(lowered, candidate.compiler)
    given = steps.example_arguments(step, devices)
    given = formats.placed(given, compiled) if candidate.free_layouts else given
    *carried, batch = given

    def run() -> None:
        given, *rest = carried
        result = compiled(given, *rest, batch)
        if step.optimizer is not None:
            carried[0] = result[0]
        jax.block_until_ready(result)

    run()
    run()
    return found, run


def compare(
    names: list[str],
    case: steps.Case,
    arguments: argparse.Namespace,
    known: Callable[[dict[str, dict[str, object]]], None],
) -> dict[str, dict[str, object]]:
    """Compile and time one candidate after the other, while the time lasts.

    Args:
        names: Of `CANDIDATES`, the step as it is first.
        case: The net and its batch.
        arguments: Of the command line.
        known: Is given what is found, whenever that is more.
    """
    found: dict[str, dict[str, object]] = {
        name: {"unmeasured": "was not come to"} for name in names
    }
    as_is: Callable[[], object] | None = None
    for name in names:
        if time_limits.left(arguments) <= 0:
            break
        found[name] = {"unmeasured": "was being compiled when the time was up"}
        known(found)
        found[name], call = _measured(name, as_is, case, arguments)
        as_is = call if name == AS_IS else as_is
        call = None  # And with it its parameters, which take memory.
        print(f"{name}: {_said(found[name])}", file=sys.stderr)
        known(found)
    return found


def _measured(
    name: str,
    as_is: Callable[[], object] | None,
    case: steps.Case,
    arguments: argparse.Namespace,
) -> tuple[dict[str, object], Callable[[], object] | None]:
    """What is found of a candidate, and a function that runs it, if it can be."""
    try:
        compilation, call = prepare(
            CANDIDATES[name], case, arguments.task, arguments.dtype
        )
        return _timed(call, as_is, arguments) | compilation, call
    except Exception as error:  # Whatever XLA says, the others go on.
        return {"unmeasured": f"{type(error).__name__}: {error}"[:300]}, None


def _timed(
    call: Callable[[], object],
    as_is: Callable[[], object] | None,
    arguments: argparse.Namespace,
) -> dict[str, object]:
    """Its median in ms, and what that is of the step as it is, in turns with it."""
    rounds: list[tuple[float, float]] = []
    while len(rounds) < arguments.repeats:
        reference = timing.seconds(as_is) if as_is else 0.0
        rounds.append((timing.seconds(call), reference))
        if time_limits.left(arguments) <= 0:
            break  # One round is better than none.
    ms = round(1e3 * statistics.median(each for each, _ in rounds), 3)
    if as_is is None:
        return {"ms": ms}
    ratio = statistics.median(each / reference for each, reference in rounds)
    return {"ms": ms, "ratio": round(ratio, 3)}


def _said(found: Mapping[str, object]) -> str:
    if "unmeasured" in found:
        return f"unmeasured: {found['unmeasured']}"
    ratio = f", {found['ratio']} of as it is" if "ratio" in found else ""
    origin = "from the cache" if found["from_cache"] else f"{found['tuned']} tuned"
    return f"{found['ms']} ms{ratio}, compiled in {found['compile_s']} s ({origin})"


def main() -> None:
    """Compare what the command line says, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", choices=steps.CASES, default="fcn8s")
    parser.add_argument("--task", choices=steps.TASKS, default="training")
    parser.add_argument("--only", nargs="+", choices=CANDIDATES, default=CANDIDATES)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--smoke", action="store_true", help="tiny")
    time_limits.add_arguments(parser, seconds=280)
    arguments = parser.parse_args()
    case = steps.CASES[arguments.net]
    if arguments.smoke:
        case, arguments.repeats = steps.tiny(case), 1
        arguments.only = ["wide_scores"]
    names = [
        name
        for name in dict.fromkeys((AS_IS, *arguments.only))
        if arguments.net in (CANDIDATES[name].families or steps.CASES)
    ]
    about = {
        **time_limits.told(arguments),
        "only": names,
        "batch": case.batch,
        "size": case.size,
        **machine.describe(),
    }

    def known(found: dict[str, dict[str, object]]) -> None:
        time_limits.keep(arguments, about | report(found))

    found = compare(names, case, arguments, known)
    time_limits.finish(arguments, about | report(found))


def report(found: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """What is found, and of none that was measured the reason of the first.

    Args:
        found: By candidate.
    """
    nothing = [each.get("unmeasured") for each in found.values()]
    if not all(nothing):
        return {"candidates": found}
    name = next(iter(found))
    return {"candidates": found, "unmeasured": f"{name}: {nothing[0]}"}


if __name__ == "__main__":
    main()
