"""What launches a run on a cluster: each file is understood, its commands are known."""

import ast
import shutil
import subprocess

import pytest
import yaml

from fcn_jax import hosts
from tests.support import pages
from tests.support.paths import ROOT

EXAMPLES = ROOT / "examples"


def text_of(name):
    return (EXAMPLES / name).read_text("utf-8")


def check(text, count, config="voc_fcn8s_atonce"):
    """Check the commands in a text; what the shell puts in is put in."""
    text = text.replace('"$CONFIG"', config).replace("$CONFIG", config)
    text = text.replace('"${CONFIG:?a config, by name or file}"', config)
    lines = [line.strip().removeprefix("srun --kill-on-bad-exit=1 ") for line in
             text.replace("\\\n", " ").splitlines()]  # fmt: skip
    found = pages.commands_of("\n".join(lines))
    assert len(found) == count, text
    for command in found:
        command = [w if "$" not in w else w.partition("=")[0] for w in command]
        assert pages.mistakes(command) == []


def test_all_of_them_are_checked_and_named_in_the_docs():
    names = {path.name for path in EXAMPLES.iterdir() if path.is_file()}
    assert names == {"jobset.yaml", "ray_train.py", "skypilot.yaml", "slurm.sh"}
    page = pages.text_of("docs/clusters.md")
    assert {name for name in names if f"examples/{name}" not in page} == set()


def test_slurm():
    text = text_of("slurm.sh")
    check(text, 1)
    if shutil.which("bash"):
        subprocess.run(["bash", "-n", EXAMPLES / "slurm.sh"], check=True)
    assert f'"$code" = {hosts.GONE} ' in text
    assert f'"$code" = {128 + 15} ' in text
    options = [x.split()[1] for x in text.splitlines() if x.startswith("#SBATCH")]
    assert all(option.startswith("--") for option in options)
    assert "--ntasks-per-node=1" in options  # A process has all devices of its host.


def test_jobset():
    (told,) = yaml.safe_load_all(text_of("jobset.yaml"))
    assert (told["apiVersion"], told["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    (job,) = told["spec"]["replicatedJobs"]
    spec = job["template"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    check(" ".join(container["command"]), 1)
    environment = {e["name"]: e.get("value", "1") for e in container["env"]}
    place = hosts.find(None, None, None, environment)  # As the second pod has it.
    name, network = told["metadata"]["name"], told["spec"]["network"]
    assert place.coordinator == f"{name}-{job['name']}-0-0.{network['subdomain']}:29500"
    assert (place.index, place.count) == (1, spec["completions"])
    assert spec["parallelism"] == spec["completions"]
    index = container["env"][2]["valueFrom"]["fieldRef"]["fieldPath"]
    assert "job-completion-index" in index
    assert container["ports"] == [{"containerPort": 29500}]
    volumes = {v["name"] for v in spec["template"]["spec"]["volumes"]}
    assert {v["name"] for v in container["volumeMounts"]} == volumes


def test_skypilot():
    told = yaml.safe_load(text_of("skypilot.yaml"))
    assert told["num_nodes"] == 2
    check(told["run"], 1)
    assert told["resources"]["job_recovery"]["recover_on_exit_codes"] == [hosts.GONE]
    assert '--workdir="/shared/' in told["run"]
    assert "/shared" in told["volumes"]
    for name in ("CONFIG", "DATA"):
        assert name in told["envs"]


def test_ray():
    """Its Python names what is there; Ray itself is not needed for that."""
    tree = ast.parse(text_of("ray_train.py"))
    imported = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module.startswith("fcn_jax")
        for alias in node.names
    }
    assert imported == {
        "fcn_jax.config.named",
        "fcn_jax.config.types.Config",
        "fcn_jax.hosts",
        "fcn_jax.runs.trainer",
    }


def test_ray_s_workers_are_a_crew_of_their_own():
    assert hosts.joined() is hosts.ALONE  # Nobody has joined this process.


@pytest.mark.parametrize("extra", ("ray", "storage"))
def test_what_they_install_is_an_extra(extra):
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert extra in project["optional-dependencies"]
