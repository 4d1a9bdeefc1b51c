"""Who this process is: flags, and what launchers say in the environment."""

import pytest

from fcn_jax.hosts import place
from fcn_jax.hosts.place import Place, find

SLURM = {
    "SLURM_STEP_NODELIST": "node[1-2]",
    "SLURM_PROCID": "1",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_NTASKS": "8",  # Of the job; the step has fewer.
}
OPEN_MPI = {"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4"}
KUBEFLOW = {
    "JAX_COORDINATOR_ADDRESS": "job-node-0-0.job:29500",
    "JAX_NUM_PROCESSES": "2",
    "JAX_PROCESS_ID": "0",
}
JAXJOB = {
    "COORDINATOR_ADDRESS": "job-worker-0",
    "COORDINATOR_PORT": "6666",
    "NUM_PROCESSES": "3",
    "PROCESS_ID": "2",
}


def found(environ=None, coordinator=None, process=None, processes=None):
    return find(coordinator, process, processes, environ or {})


@pytest.mark.parametrize(
    ("environ", "expected"),
    (
        ({}, None),
        ({"SLURM_NTASKS": "2"}, None),  # In a batch script, before srun.
        (SLURM | {"SLURM_STEP_NUM_TASKS": "1"}, None),
        ({"TPU_WORKER_HOSTNAMES": "one"}, None),
        (KUBEFLOW | {"JAX_NUM_PROCESSES": "1"}, None),
        (SLURM, Place(1, 2, None, False, "Slurm")),
        (
            SLURM | {"SLURM_STEP_TASKS_PER_NODE": "1(x2)"},
            Place(1, 2, None, True, "Slurm"),
        ),
        (
            SLURM | {"SLURM_STEP_TASKS_PER_NODE": "8(x2)"},
            Place(1, 2, None, False, "Slurm"),
        ),
        (
            OPEN_MPI
            | {"OMPI_MCA_orte_hnp_uri": "1;tcp://10.0.0.1:3"}
            | {"OMPI_COMM_WORLD_LOCAL_SIZE": "1"},
            Place(2, 4, None, True, "Open MPI"),
        ),
        (
            KUBEFLOW,
            Place(0, 2, "job-node-0-0.job:29500", False, "JAX_COORDINATOR_ADDRESS"),
        ),
        (
            JAXJOB,
            Place(2, 3, "job-worker-0:6666", False, "JAX_COORDINATOR_ADDRESS"),
        ),
        (
            {"TPU_WORKER_HOSTNAMES": "one,two"},
            Place(found="TPU_WORKER_HOSTNAMES"),
        ),
    ),
)
def test_launchers(environ, expected):
    assert found(environ) == expected


def test_by_hand():
    assert found({}, "node1:29500", 0, 2) == Place(0, 2, "node1:29500")
    assert found({}, "node1:29500", 0, 1) is None
    assert found({}, "auto") == Place(found="--coordinator=auto")


def test_flags_come_before_the_environment():
    assert found(SLURM, "node9:1", 0, 2) == Place(0, 2, "node9:1", False, "Slurm")
    assert found(OPEN_MPI, "node1:29500").index == 2  # Open MPI 5 needs an address.


@pytest.mark.parametrize(
    ("environ", "flags", "message"),
    (
        ({}, ("node1:1", None, None), "--process=N and --processes=N are missing"),
        ({}, (None, 0, 2), "--coordinator=HOST:PORT is missing: give the address"),
        (OPEN_MPI, (None, None, None), "--coordinator=HOST:PORT is missing"),
        (SLURM | {"SLURM_PROCID": "x"}, (None, None, None), "by 'x', which is no numb"),
        ({}, ("node1:1", 2, 2), "process 2 of 2 is none: processes are .* 0 to 1"),
        ({}, ("node1:1", -1, 2), "process -1 of 2 is none"),
        ({}, ("node1", 0, 2), "coordinator 'node1' is no HOST:PORT; give the address"),
        ({}, ("node1:65536", 1, 2), "coordinator 'node1:65536' is no HOST:PORT; give"),
        ({}, ("node1:0", 0, 2), "coordinator 'node1:0' is no HOST:PORT; give the addr"),
    ),
)
def test_what_makes_no_sense(environ, flags, message):
    with pytest.raises(ValueError, match=message):
        find(*flags, environ)


def test_tasks_that_srun_did_not_start_are_told():
    assert "Slurm has 4 tasks, and this process was not started by srun: it works" in (
        place.note({"SLURM_NTASKS": "4"})
    )
    assert place.note({}) == place.note(SLURM) == ""
