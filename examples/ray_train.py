r"""Train on a Ray cluster, with workers that may come and go.

pip install "fcn-jax[ray]"
python examples/ray_train.py --config=voc_fcn8s_atonce --workdir=/shared/runs/voc \
    --workers=1,4 --platform=cuda --resources='{"GPU": 8}'
python examples/ray_train.py --config=shapes_fcn8s:smoke --workdir=/tmp/shapes \
    --workers=1,2 --platform=cpu

Ray starts a worker a host, and all anew where one is gone, with as many as there is
room for: from --workers=LEAST,MOST. Each time the run goes on from its last checkpoint,
so that --workdir has to be a directory that all hosts see. config.batch_size is that of
all workers together: it has to divide by every number of their devices that may be.
"""

import argparse
import ast
import json
from pathlib import Path

from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.v2.jax import JaxConfig, JaxTrainer

from fcn_jax.config import named
from fcn_jax.config.types import Config


def train_loop(told: dict) -> None:
    """What each worker does. Ray has called `jax.distributed.initialize` already."""
    from fcn_jax import hosts
    from fcn_jax.runs import trainer

    crew = hosts.joined()
    print(f"worker {crew.index} of {crew.count}", flush=True)
    with hosts.together(crew):
        trainer.train(Config(told["config"]), told["workdir"], crew=crew)


def make_trainer(arguments: argparse.Namespace) -> JaxTrainer:
    """Ray's trainer of a run."""
    name, _, mode = arguments.config.partition(":")
    config = named.load(name).get_config(*((mode,) if mode else ()))
    changes = dict(each.split("=", 1) for each in arguments.set)
    config.update_from_flattened_dict(
        {key: _literal(value) for key, value in changes.items()}
    )
    least, _, most = arguments.workers.partition(",")
    tpu = arguments.platform == "tpu"
    return JaxTrainer(
        train_loop,
        train_loop_config={
            "config": json.loads(config.to_json()),
            "workdir": str(Path(arguments.workdir).absolute()),
        },
        # With use_gpu and JAX_PLATFORMS=cpu Ray joins processes that have CPUs alone.
        jax_config=JaxConfig(use_tpu=tpu, use_gpu=not tpu),
        scaling_config=ScalingConfig(
            num_workers=(int(least), int(most)) if most else int(least),
            use_gpu=arguments.platform == "cuda",
            use_tpu=tpu,
            topology=arguments.topology,
            accelerator_type=arguments.accelerator,
            resources_per_worker=arguments.resources,
        ),
        run_config=RunConfig(
            name=Path(arguments.workdir).name,
            storage_path=arguments.ray_files,
            failure_config=FailureConfig(max_failures=arguments.failures),
            worker_runtime_env={"env_vars": {"JAX_PLATFORMS": arguments.platform}},
        ),
    )


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True, help="NAME or NAME:MODE")
    parser.add_argument("--workdir", required=True, help="that all hosts see")
    parser.add_argument("--workers", default="1", help="COUNT, or LEAST,MOST")
    parser.add_argument("--platform", default="cuda", choices=("cpu", "cuda", "tpu"))
    parser.add_argument("--resources", type=json.loads, help="of a worker, JSON")
    parser.add_argument("--topology", help="of TPUs, such as 4x4")
    parser.add_argument("--accelerator", help="Ray's name of it, such as TPU-V5LITEPOD")
    parser.add_argument("--failures", type=int, default=8, help="ends with the next")
    parser.add_argument("--ray_files", help="where Ray keeps its own; ~/ray_results")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    make_trainer(parser.parse_args()).fit()


if __name__ == "__main__":
    main()
