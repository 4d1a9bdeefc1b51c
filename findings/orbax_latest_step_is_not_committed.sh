#!/usr/bin/env bash
# CheckpointManager.latest_step() of orbax-checkpoint counts a step whose asynchronous save
# has only begun: it is the answer at once, while on disk there is a temporary directory.
# A manager that another process (or the same program after a kill) opens at that moment
# does not know the step. Who takes latest_step() for what can be restored elsewhere
# (hands it to an evaluator, writes it down) names a checkpoint that may never be.
#
# Seen with orbax-checkpoint 0.12.8, jax 0.10.2 and numpy 2.4.6. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet orbax-checkpoint==0.12.8 jax==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import numpy as np
import orbax.checkpoint as ocp

place = f"{sys.argv[1]}/checkpoints"
state = {f"x{n}": np.zeros((1 << 22,), np.float32) for n in range(16)}  # 256 MiB.
manager = ocp.CheckpointManager(place)
manager.save(1, args=ocp.args.PyTreeSave(state))
manager.wait_until_finished()
manager.save(2, args=ocp.args.PyTreeSave(state))
said = manager.latest_step()
other = ocp.CheckpointManager(place, options=ocp.CheckpointManagerOptions(read_only=True))
elsewhere = other.latest_step()
manager.wait_until_finished()
after = ocp.CheckpointManager(place).latest_step()
print(f"latest step while the second save is under way: {said}; in another manager: "
      f"{elsewhere}; when it is done: {after}")
assert (said, elsewhere, after) == (2, 1, 2), (said, elsewhere, after)
PYTHON
