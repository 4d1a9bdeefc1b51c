#!/usr/bin/env bash
# All measurements that want a GPU, and a training run, on a machine that is lent for
# minutes: Python 3.12, JAX 0.11 and PyTorch are there, nothing is fetched.
#
#   bash benchmarks/gpu.sh tuning measure      a call of ten minutes, the most telling
#   bash benchmarks/gpu.sh try profile         what is left of a quarter of an hour
#   ROWS="crf pooling" bash benchmarks/gpu.sh measure   some of what it measures
#   bash benchmarks/gpu.sh --smoke             all of it at tiny sizes, on any machine
#
# tuning   at most 210 s: seconds to the first step of FCN-8s, and a step, by flags of
#          XLA's autotuning (benchmarks/tuning.py); all that follows, in this call and
#          in later ones, takes the best of them, and what was tuned by them
# measure  at most 300 s: starting, training steps, the rate of a matrix product, CRF,
#          inference, pooling, parity, determinism, input, SIGKILL; each under its own
#          time limit, ours and PyTorch's in processes of their own (benchmarks/speed.py)
# try      at most 280 s: ways to compute the two training steps, side by side
#          (benchmarks/candidates.py)
# profile  at most 120 s: the operations of both steps, the longest first
#          (benchmarks/operations.py)
# camvid   the time that is left: FCN-8s at full width to a checkpoint, evaluated; it
#          goes on from runs/camvid_gpu when called again
#
# What XLA tunes, and what is compiled, is kept in CACHE, so that a step is waited for
# once and not by every mode, also what XLA has written there of a process that is then
# ended. Where a step takes 100 to 200 s to compile on a machine that has kept nothing,
# a call is filled by the first of these, in this order:
#   tuning   one or two ways (140 s each at most); where none is ready, there are no
#            flags, and the next finds none of it
#   measure  after tuning found flags: FCN-8s' step, ours and PyTorch's, 90 s, for it is
#            compiled already; DeconvNet's cold start, up to 200 s, then its step
#            without: the cold start of FCN-8s, up to 200 s, which fills the cache; its
#            step, ours first, 100 s; DeconvNet's in the next call, by ROWS
#   try      after measure: each way is done when it is compiled, in 20 to 40 s, and
#            kept; half of the time belongs to each net. Alone: FCN-8s as it is takes
#            up to 200 s, and of DeconvNet what is tuned stays
#   profile  after try or measure: a minute a net. Alone: FCN-8s has 115 s
#
# Bring along, in folders that git ignores:
#   wheels/        what that Python lacks of requirements.txt (pip download -d wheels)
#   data/camvid/   CamVid in VOC layout; without it there is no training run
#
# Results: OUT/speed_gpu.json, which belongs to docs/, where `python -m benchmarks.speed
# --render` writes the page; a log of each step in OUT, and the flags, xla_flags. What
# docs/speed_gpu.json holds already is kept where a measurement finds no time: put OUT's
# there between two calls. The exit status is the number of steps that failed, or found
# no time.
#
# Environment: OUT (benchmarks/out), CACHE (.cache), PYTHON (python3), LIMIT (570
# seconds in all), ROWS (all that measure measures), NETS ("fcn8s deconvnet": those of
# try and profile).
set -uo pipefail
cd "$(dirname "$0")/.." || exit

OUT=${OUT:-benchmarks/out}
PYTHON=${PYTHON:-python3}
DEADLINE=$((SECONDS + ${LIMIT:-570}))
CACHE=${CACHE:-.cache}
RESERVE=10 # Seconds after a step's own, until it is killed.
FAILED=0

SLOWER=1
# The cold start of a net first: what it tunes, its step finds.
STARTS=(startup_fcn8s fcn8s_training startup_deconvnet deconvnet_training)
# Where tuning has compiled FCN-8s' step by its flags, that is measured in no time.
TUNED=(fcn8s_training startup_deconvnet deconvnet_training startup_fcn8s)
OTHERS=(rates crf fcn8s_inference deconvnet_inference pooling device_parity
  determinism input_pipeline kill_and_resume)
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
((${#MODES[@]})) || MODES=(tuning measure try profile camvid)
if [[ $MODE == smoke ]]; then
  SPEED+=(--smoke)
  SLOWER=10 # A CPU, in what compiling takes.
  rm -rf runs/camvid_smoke
fi

mkdir -p "$OUT" "$CACHE" || exit
CACHE=$(cd "$CACHE" && pwd)
VENV=$CACHE/venv_gpu
PROGRAMS=$CACHE/xla
[[ -f $OUT/speed_gpu.json || $MODE == smoke || ! -f docs/speed_gpu.json ]] ||
  cp docs/speed_gpu.json "$OUT"
export PYTHONPATH=$PWD PYTHONUNBUFFERED=1
export JAX_COMPILATION_CACHE_DIR=$PROGRAMS
FLAGS=${XLA_FLAGS:-}

# step NAME SECONDS COMMAND...: run it, for so long at most, into OUT/NAME.log.
step() {
  local name=$1 limit=$2 start=$SECONDS left=$((DEADLINE - SECONDS - RESERVE)) status
  shift 2
  rm -f "$OUT/$name.log"
  ((limit > left)) && limit=$left
  if ((limit < 1)); then
    echo "$name: no time left"
    return 1
  fi
  timeout --kill-after="$RESERVE" "$limit" "$@" >"$OUT/$name.log" 2>&1
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

# measure NAME SECONDS ROW...: rows of benchmarks.speed, within so many seconds, of which
# it keeps the last for itself.
measure() {
  local name=$1 limit=$(($2 * SLOWER)) left=$((DEADLINE - SECONDS - RESERVE))
  shift 2
  ((limit > left)) && limit=$left
  step "$name" "$limit" "$VENV/bin/python" -m benchmarks.speed "${SPEED[@]}" \
    --limit "$((limit - 10))" --out "$OUT" --only "$@" || FAILED=$((FAILED + 1))
  # The JSON comes last; what was measured, and what was not, before it.
  [[ ! -f $OUT/$name.log ]] ||
    grep -E '^[a-z0-9_]+: |^(not )?in whole: ' "$OUT/$name.log" | sed 's/^/    /'
}

# The flags that tuning found best, on this machine or before, and what is kept for them.
take_flags() {
  local way flags
  [[ -f $CACHE/xla_flags ]] ||
    "$VENV/bin/python" -m benchmarks.tuning --best "$OUT/speed_gpu.json" \
      >"$CACHE/xla_flags" 2>"$OUT/xla_flags.log" || tail -n 1 "$OUT/xla_flags.log"
  read -r way flags <"$CACHE/xla_flags"
  [[ -n $way ]] || return
  cp "$CACHE/xla_flags" "$OUT"
  export XLA_FLAGS="$FLAGS $flags" JAX_COMPILATION_CACHE_DIR=$PROGRAMS/$way
  STARTS=("${TUNED[@]}")
  echo "flags of tuning, $way: ${flags:-none}"
}

tuning() {
  export XLA_FLAGS=$FLAGS JAX_COMPILATION_CACHE_DIR=$PROGRAMS
  rm -f "$CACHE/xla_flags"
  measure tuning 210 tuning
}

camvid() {
  if [[ ! -d data/camvid ]]; then
    echo "camvid: left out, there is no data/camvid"
    return
  fi
  local run=runs/camvid_$MODE RESERVE=30 # For a checkpoint, once the time is up.
  local eval=90 # Seconds for its evaluation, and to read the log.
  step camvid $((DEADLINE - SECONDS - RESERVE - eval)) "$VENV/bin/python" train.py \
    "--config=configs/camvid_fcn8s.py:$MODE" "--workdir=$run" \
    --config.data.root=data/camvid
  # Time that is up is no failure.
  (($? == 0 || $? == 124)) || FAILED=$((FAILED + 1))
  [[ -f $run/log.jsonl ]] && cp "$run/log.jsonl" "$OUT/camvid.jsonl"
  RESERVE=10
  step camvid_eval "$((eval - 30))" "$VENV/bin/python" eval.py "--workdir=$run" ||
    FAILED=$((FAILED + 1))
  measure camvid_speed 30 camvid
}

export -f setup
export PYTHON VENV
step setup 90 bash -c setup || FAILED=$((FAILED + 1))
for mode in "${MODES[@]}"; do
  if [[ $mode == tuning ]]; then
    tuning
    continue
  fi
  take_flags
  # shellcheck disable=SC2206  # Names, without blanks.
  nets=(${NETS:-fcn8s deconvnet})
  # shellcheck disable=SC2206
  rows=(${ROWS:-"${STARTS[@]}" "${OTHERS[@]}"})
  case $mode in
    measure) measure measure 300 "${rows[@]}" ;;
    try) measure try 280 "${nets[@]/#/candidates_}" ;;
    profile) measure profile 120 "${nets[@]/#/operations_}" ;;
    camvid) camvid ;;
  esac
done
echo "$FAILED failed; logs in $OUT, $SECONDS s in all"
exit "$FAILED"
