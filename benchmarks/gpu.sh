#!/usr/bin/env bash
# All measurements that want a GPU, and a training run, on a machine that is lent for
# minutes: Python 3.12, JAX 0.11 and PyTorch are there, nothing is fetched.
#
#   bash benchmarks/gpu.sh measure try     both in one call of ten minutes, the most
#   bash benchmarks/gpu.sh profile camvid  telling first; then the rest
#   bash benchmarks/gpu.sh tuning          before all of these: what compiling waits for
#   bash benchmarks/gpu.sh --smoke         all of it at tiny sizes, on any machine
#
# tuning   at most 480 s: seconds to the first step of FCN-8s, and a step, by flags of
#          XLA's autotuning, each in a process of its own
# measure  at most 300 s: training steps, inference, CRF, pooling, parity, determinism,
#          starting; each under its own time limit, ours and PyTorch's in processes of
#          their own (benchmarks/speed.py)
# try      at most 280 s: ways to compute the two training steps, side by side
#          (benchmarks/candidates.py)
# profile  at most 120 s: the operations of both steps, the longest first
#          (benchmarks/operations.py)
# camvid   the time that is left: FCN-8s at full width to a checkpoint, evaluated; it
#          goes on from runs/camvid_gpu when called again
#
# Bring along, in folders that git ignores:
#   wheels/        what that Python lacks of requirements.txt (pip download -d wheels)
#   data/camvid/   CamVid in VOC layout; without it there is no training run
#
# Results: OUT/speed_gpu.json, which belongs to docs/, where `python -m benchmarks.speed
# --render` writes the page; a log of each step in OUT. What docs/speed_gpu.json holds
# already is kept where a measurement finds no time. The exit status is the number of
# steps that failed.
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

SLOWER=1
NETS=(fcn8s deconvnet)
MEASURED=(fcn8s_training deconvnet_training crf pooling fcn8s_inference
  deconvnet_inference device_parity determinism startup)
SPEED=(--device gpu)
MODE=gpu
MODES=()
for argument in "$@"; do
  case $argument in
    --smoke) MODE=smoke ;;
    tuning | measure | try | profile | camvid) MODES+=("$argument") ;;
    *)
      echo "gpu.sh: $argument is not known; there are tuning, measure, try," \
        "profile, camvid and --smoke." >&2
      exit 2
      ;;
  esac
done
((${#MODES[@]})) || MODES=(measure try profile camvid)
if [[ $MODE == smoke ]]; then
  SPEED+=(--smoke)
  SLOWER=10 # A CPU, in what compiling takes.
  rm -rf runs/camvid_smoke
fi

mkdir -p "$OUT"
[[ -f $OUT/speed_gpu.json || $MODE == smoke || ! -f docs/speed_gpu.json ]] ||
  cp docs/speed_gpu.json "$OUT"
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
    # To read weights, with what it needs itself.
    if compgen -G 'wheels/pyfive*.whl' >/dev/null; then "${pip[@]}" pyfive || return; fi
  fi
  "$VENV/bin/python" -c 'import json, sys
sys.path.insert(0, "benchmarks")
from benchmarks.common import machine
print(json.dumps(machine.describe(), indent=2))'
}

# measure NAME SECONDS MEASUREMENT...: some of benchmarks.speed, within so many seconds.
measure() {
  local name=$1 limit=$(($2 * SLOWER)) left=$((DEADLINE - SECONDS - TO_SAVE - 5))
  shift 2
  ((limit > left)) && limit=$left
  step "$name" $((limit + 5)) "$VENV/bin/python" -m benchmarks.speed "${SPEED[@]}" \
    --limit "$limit" --out "$OUT" --only "$@" || FAILED=$((FAILED + 1))
  # The JSON comes last; what was measured, and what was not, before it.
  grep -E '^[a-z0-9_]+: ' "$OUT/$name.log" | sed 's/^/    /'
}

# Flags of XLA, the most telling first; "": as it is.
TUNING=(
  "--xla_gpu_exclude_nondeterministic_ops=true"
  "--xla_gpu_exclude_nondeterministic_ops=true --xla_gpu_autotune_level=1"
  "--xla_gpu_autotune_level=1"
  ""
)
tuning() {
  local flags number=0 net=(--model fcn8s --size 500 500 --batch 8 --repeats 10)
  [[ $MODE == smoke ]] && net=(--smoke)
  for flags in "${TUNING[@]}"; do
    number=$((number + 1))
    # Programs that were kept are not compiled again.
    step "tuning_$number" 120 env XLA_FLAGS="$flags" JAX_ENABLE_COMPILATION_CACHE=false \
      XLA_PYTHON_CLIENT_PREALLOCATE=false "$VENV/bin/python" -m benchmarks.networks \
      --task training --sides ours --dtype bfloat16 "${net[@]}" || FAILED=$((FAILED + 1))
    echo "    flags: ${flags:-none}"
    grep -A 1 -E '"(prepared_s|seconds)"' "$OUT/tuning_$number.log" | grep ours
  done
}

camvid() {
  if [[ ! -d data/camvid ]]; then
    echo "camvid: left out, there is no data/camvid"
    return
  fi
  local run=runs/camvid_$MODE
  local eval=60 # Seconds for its evaluation.
  step camvid $((DEADLINE - SECONDS - TO_SAVE - eval)) "$VENV/bin/python" train.py \
    "--config=configs/camvid_fcn8s.py:$MODE" "--workdir=$run" \
    --config.data.root=data/camvid
  # Time that is up is no failure.
  (($? == 0 || $? == 124)) || FAILED=$((FAILED + 1))
  [[ -f $run/log.jsonl ]] && cp "$run/log.jsonl" "$OUT/camvid.jsonl"
  step camvid_eval "$eval" "$VENV/bin/python" eval.py "--workdir=$run" ||
    FAILED=$((FAILED + 1))
}

export -f setup
export PYTHON VENV
step setup 90 bash -c setup || FAILED=$((FAILED + 1))
for mode in "${MODES[@]}"; do
  case $mode in
    tuning) tuning ;;
    measure) measure measure 300 "${MEASURED[@]}" ;;
    try) for net in "${NETS[@]}"; do measure "try_$net" 140 "candidates_$net"; done ;;
    profile)
      for net in "${NETS[@]}"; do measure "profile_$net" 60 "operations_$net"; done
      ;;
    camvid) camvid ;;
  esac
done
echo "$FAILED failed; logs in $OUT, $SECONDS s in all"
exit "$FAILED"
