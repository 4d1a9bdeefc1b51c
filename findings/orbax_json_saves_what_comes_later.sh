#!/usr/bin/env bash
# Orbax's CheckpointManager returns from save() before a checkpoint is on disk, and copies
# first what it saves: a NumPy array of a pytree that is changed in the next line is saved
# as it was. What JsonSave was given is not copied: it is turned into text in a thread, so
# that a list which grows or a dict which is updated in the next line is saved as it is
# when the thread comes to it. A checkpoint of step 7 then says what step 8 did, in many
# of saves on an idle machine and in nearly all on a busy one. Pass JsonSave a copy.
#
# Seen with orbax-checkpoint 0.12.8, jax 0.10.2 and numpy 2.4.6:
#   40 saves: arrays of the next step in 0, JSON of the next step in 38
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet orbax-checkpoint==0.12.8 jax==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - "$folder/run" <<'PYTHON'
import sys

import numpy as np
import orbax.checkpoint as ocp

SAVES = 40
state, notes = {"step": np.zeros(1, np.int32)}, {"step": 0}
late_arrays = late_notes = 0
with ocp.CheckpointManager(sys.argv[1]) as manager:
    for step in range(SAVES):
        state["step"][0] = notes["step"] = step
        manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.PyTreeSave(state), notes=ocp.args.JsonSave(notes)
            ),
        )
        state["step"][0] = notes["step"] = step + 1
        manager.wait_until_finished()
        found = manager.restore(
            step,
            args=ocp.args.Composite(
                state=ocp.args.PyTreeRestore(), notes=ocp.args.JsonRestore()
            ),
        )
        late_arrays += int(found["state"]["step"][0]) != step
        late_notes += found["notes"]["step"] != step
print(
    f"{SAVES} saves: arrays of the next step in {late_arrays}, "
    f"JSON of the next step in {late_notes}"
)
assert late_arrays == 0, late_arrays
assert late_notes > 0, "mended"
PYTHON
