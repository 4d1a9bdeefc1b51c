"""A step computed in several ways, side by side on one device: which is the fastest?

python -m benchmarks.candidates                          # FCN-8s, training, bfloat16
python -m benchmarks.candidates --net deconvnet --limit 240
python -m benchmarks.candidates --only channels_8 full_margin
python -m benchmarks.candidates --smoke                  # a tiny net, any device

The step is that of fcn_jax train or eval. It is compiled once for every candidate, the
most telling first, while half of --limit lasts; then all are timed in turns. Prints
JSON: seconds to compile, the median in ms and what it is of the time of the step as it
is ("ratio", below 1: faster), or why a candidate could not be measured. Ways of this
package are `fcn_jax.ops.choices`; others are options of the network, of XLA and of JAX.
"""

import argparse
import contextlib
import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping

import jax

from benchmarks.common import machine, steps, timing
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
    """

    choices: Choices = DEFAULT
    model: Mapping[str, object] = dataclasses.field(default_factory=dict)
    compiler: Mapping[str, str | bool | int] = dataclasses.field(default_factory=dict)
    random: str = ""
    families: tuple[str, ...] = ()


# The most telling first.
CANDIDATES = {
    AS_IS: Candidate(),
    "channels_8": Candidate(Choices(image_channels=8)),
    "full_margin": Candidate(model={"full_padding": True}, families=("fcn8s",)),
    "wide_scores": Candidate(Choices(narrow_scores=False)),
    "gradients_as_they_come": Candidate(Choices(ordered_gradients=False)),
    "channels_4": Candidate(Choices(image_channels=4)),
    "rbg": Candidate(random="rbg"),
    "latency_hiding": Candidate(
        compiler={"xla_gpu_enable_latency_hiding_scheduler": True}
    ),
    "no_command_buffers": Candidate(compiler={"xla_gpu_enable_command_buffer": ""}),
    "no_triton_gemm": Candidate(compiler={"xla_gpu_enable_triton_gemm": False}),
    "deterministic": Candidate(compiler={"xla_gpu_deterministic_ops": True}),
    "deterministic_but_timed": Candidate(
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
        return step, steps.lower(step, devices)


def prepare(
    candidate: Candidate, case: steps.Case, task: str, dtype: str
) -> tuple[float, Callable[[], object]]:
    """Compile a candidate; the seconds it took, and a function that runs it once."""
    devices = jax.local_devices()[:1]
    step, lowered = traced(candidate, case, task, devices, dtype)
    start = time.perf_counter()
    compiled = lowered.compile(dict(candidate.compiler) or None)
    seconds = time.perf_counter() - start
    *carried, batch = steps.example_arguments(step, devices)

    def run() -> None:
        given, *rest = carried
        result = compiled(given, *rest, batch)
        if step.optimizer is not None:
            carried[0] = result[0]
        jax.block_until_ready(result)

    run()
    run()
    return seconds, run


def compare(
    names: list[str], case: steps.Case, arguments: argparse.Namespace
) -> dict[str, dict[str, object]]:
    """Compile candidates while half of the time lasts, then time them in turns."""
    end = time.monotonic() + arguments.limit
    found: dict[str, dict[str, object]] = {}
    calls: dict[str, Callable[[], object]] = {}
    for name in names:
        if time.monotonic() > end - arguments.limit / 2 and calls:
            found[name] = {"unmeasured": "no time was left to compile it"}
            continue
        try:
            seconds, calls[name] = prepare(
                CANDIDATES[name], case, arguments.task, arguments.dtype
            )
            found[name] = {"compile_s": round(seconds, 1)}
        except Exception as error:  # Whatever XLA says, the others go on.
            found[name] = {"unmeasured": f"{type(error).__name__}: {error}"[:300]}
    rounds: list[dict[str, float]] = []
    while calls and len(rounds) < arguments.repeats and time.monotonic() < end:
        rounds.append({name: timing.seconds(call) for name, call in calls.items()})
    for name in calls if rounds else ():
        times = [each[name] for each in rounds]
        found[name]["ms"] = round(1e3 * statistics.median(times), 3)
        if AS_IS in calls:
            ratios = [each[name] / each[AS_IS] for each in rounds]
            found[name]["ratio"] = round(statistics.median(ratios), 3)
    return found


def main() -> None:
    """Compare what the command line says, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", choices=steps.CASES, default="fcn8s")
    parser.add_argument("--task", choices=steps.TASKS, default="training")
    parser.add_argument("--only", nargs="+", choices=CANDIDATES, default=CANDIDATES)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--limit", type=float, default=280, help="seconds in all")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    # What is kept from another run would be compiled in no time.
    jax.config.update("jax_enable_compilation_cache", False)
    case = steps.CASES[arguments.net]
    if arguments.smoke:
        case, arguments.repeats = steps.tiny(case), 1
        arguments.only = ["full_margin", "wide_scores"]
    names = [
        name
        for name in dict.fromkeys((AS_IS, *arguments.only))
        if arguments.net in (CANDIDATES[name].families or steps.CASES)
    ]
    report = {
        **vars(arguments),
        "only": names,
        "batch": case.batch,
        "size": case.size,
        "candidates": compare(names, case, arguments),
        **machine.describe(),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
