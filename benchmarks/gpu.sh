#!/usr/bin/env bash
# All measurements that want a GPU, and a training run, in less than ten minutes.
#
#   bash benchmarks/gpu.sh            on a machine with a GPU, Python 3.12 and JAX 0.11
#   bash benchmarks/gpu.sh --smoke    at tiny sizes, on any machine: does it work?
#
# Nothing is fetched. Bring along, in folders that git ignores:
#   wheels/        what that Python lacks of requirements.txt (pip download -d wheels)
#   data/camvid/   CamVid in VOC layout; without it there is no training run
#
# Every step has its own time limit and its own log in OUT; one that fails does not
# stop the others. The training run gets the time that is left. It is told to save when
# that is up, and goes on from runs/camvid_gpu when the script is run again, or where
# that folder was brought along. The exit status is the number of steps that failed.
#
# Environment: OUT (benchmarks/out), PYTHON (python3), LIMIT (570 seconds in all).
set -uo pipefail
cd "$(dirname "$0")/.." || exit

OUT=${OUT:-benchmarks/out}
PYTHON=${PYTHON:-python3}
DEADLINE=$((SECONDS + ${LIMIT:-570}))
VENV=.cache/venv_gpu
TO_SAVE=30 # Seconds that a checkpoint may take once the time is up.
FAILED=0

SMOKE=()
STEP=(--padding same --batch-norm --size 352 480 --batch 8 --repeats 20 --threads 8)
DECONVNET=(--model deconvnet --size 224 224 --batch 8 --repeats 20 --threads 8)
PROPOSALS=(--width 1 --boxes 10 50 --threads 8)
MODE=gpu
if [[ ${1:-} == --smoke ]]; then
  SMOKE=(--smoke)
  STEP=(--smoke)
  DECONVNET=(--model deconvnet --smoke)
  PROPOSALS=(--smoke)
  MODE=smoke
  rm -rf runs/camvid_smoke
elif [[ $# -gt 0 ]]; then
  echo "gpu.sh: $1 is not known; there is --smoke." >&2
  exit 2
fi

mkdir -p "$OUT"
export PYTHONPATH=$PWD PYTHONUNBUFFERED=1
export JAX_COMPILATION_CACHE_DIR=$PWD/.cache/xla

# step NAME SECONDS COMMAND...: run it, for so long at most, into OUT/NAME.log.
step() {
  local name=$1 limit=$2 start=$SECONDS left=$((DEADLINE - SECONDS - TO_SAVE)) status
  shift 2
  ((limit > left)) && limit=$left
  if ((limit < 1)); then
    echo "$name: no time left"
    return 1
  fi
  timeout --kill-after="$TO_SAVE" "$limit" "$@" >"$OUT/$name.log" 2>&1
  status=$?
  case $status in
    0) echo "$name: done in $((SECONDS - start)) s" ;;
    124 | 137) echo "$name: stopped after $limit s" ;;
    *) echo "$name: failed with status $status in $((SECONDS - start)) s" ;;
  esac
  ((status == 0)) || tail -n 5 "$OUT/$name.log" | sed 's/^/    /'
  return "$status"
}

# shellcheck disable=SC2329  # Called by name, under a time limit.
setup() {
  date
  nvidia-smi
  "$PYTHON" -m venv --system-site-packages --without-pip --clear "$VENV" || return
  # Where PYTHON is of a venv itself, its packages are no system's: point to them too.
  local own
  own=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  "$PYTHON" -c 'import sysconfig
for kind in ("purelib", "platlib"): print(sysconfig.get_path(kind))' >"$own/parent.pth"
  if compgen -G 'wheels/*.whl' >/dev/null; then
    local pip=("$VENV/bin/python" -m pip install --no-index --find-links wheels)
    # A version that the machine has otherwise need not stop us.
    "${pip[@]}" -r requirements.txt || "${pip[@]}" --no-deps wheels/*.whl || return
  fi
  "$VENV/bin/python" -c 'import json, sys
sys.path.insert(0, "benchmarks")
from benchmarks.common import machine
print(json.dumps(machine.describe(), indent=2))'
}

# PyTorch needs memory beside JAX.
measure() {
  local name=$1 limit=$2 script=$3
  shift 3
  step "$name" "$limit" env XLA_PYTHON_CLIENT_PREALLOCATE=false \
    "$VENV/bin/python" -m "benchmarks.$script" "$@" || FAILED=$((FAILED + 1))
}

export -f setup
export PYTHON VENV
step setup 90 bash -c setup || FAILED=$((FAILED + 1))
measure pooling 45 pooling "${SMOKE[@]}"
measure train_step_float32 60 networks "${STEP[@]}" --precision highest
measure train_step_bfloat16 60 networks "${STEP[@]}" --dtype bfloat16
measure deconvnet_step 60 networks "${DECONVNET[@]}" --dtype bfloat16
measure deconvnet 60 deconvnet "${PROPOSALS[@]}"
measure crf 60 crf "${SMOKE[@]}"
measure device_parity 60 device_parity "${SMOKE[@]}"
measure startup 90 startup "${SMOKE[@]}"
if [[ -d data/camvid ]]; then
  run=runs/camvid_$MODE
  step camvid "$DEADLINE" "$VENV/bin/python" train.py \
    "--config=configs/camvid_fcn8s.py:$MODE" "--workdir=$run" \
    --config.data.root=data/camvid
  (($? == 0 || $? == 124)) || FAILED=$((FAILED + 1)) # Time that is up is no failure.
  [[ -f $run/log.jsonl ]] && cp "$run/log.jsonl" "$OUT/camvid.jsonl"
else
  echo "camvid: left out, there is no data/camvid"
fi
echo "$FAILED failed; logs in $OUT, $SECONDS s in all"
exit "$FAILED"
