#!/bin/bash
# Two hosts, one task a host, which has all devices of its host.
#   sbatch --export=ALL,CONFIG=voc_fcn8s_atonce,WORKDIR=/shared/runs/voc examples/slurm.sh
#SBATCH --job-name=fcn_jax
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@120
#SBATCH --open-mode=append

srun --kill-on-bad-exit=1 fcn_jax train \
  --config="${CONFIG:?a config, by name or file}" \
  --workdir="${WORKDIR:?a directory that all hosts see}"
code=$?
# 143: stopped before the time limit, and saved. 75: a host is gone. Both go on.
if [ "$code" = 143 ] || [ "$code" = 75 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
