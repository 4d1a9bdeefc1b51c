#!/usr/bin/env bash
# jax_num_cpu_devices (or --xla_force_host_platform_device_count) gives a CPU virtual
# devices. A program that runs on the first alone, as before, computes the gradient of a
# convolution's kernel, and a mean, in other last bits when seven more devices stand by
# unused: the client has as many threads as devices where these are more than the cores,
# and XLA splits work, and so sums, by its threads. It would be expected that a device that
# is not used changes nothing, and that the same cores compute the same. So a test that
# compares a process of eight devices with processes of one, bit for bit, passes or fails
# by the machine's cores. With PJRT_NPROC=8 in all of them they agree;
# --xla_cpu_multi_thread_eigen=false changes nothing.
#
# Seen with jax 0.10.2 on Linux, a process held to one core. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet jax==0.10.2 numpy==2.4.6
cat >"$folder/bits.py" <<'PYTHON'
import hashlib
import sys

import jax
import numpy as np

jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
LAYOUT = ("NHWC", "HWIO", "NHWC")


def convolve(image, kernel):
    return jax.lax.conv_general_dilated(
        image, kernel, (1, 1), "SAME", dimension_numbers=LAYOUT
    )


def total(image, kernel):
    return jax.numpy.sin(convolve(image, kernel)).sum()


draw = np.random.default_rng(0).normal
image = draw(size=(4, 24, 24, 3)).astype(np.float32)
kernel = draw(size=(3, 3, 3, 4)).astype(np.float32)
print(hashlib.sha256(jax.jit(jax.grad(total, 1))(image, kernel).tobytes()).hexdigest())
PYTHON
bits() { env "$1" JAX_PLATFORMS=cpu taskset -c 0 "$folder/venv/bin/python" "$folder/bits.py" "$2"; }
for threads in NOTHING=0 PJRT_NPROC=8 XLA_FLAGS=--xla_cpu_multi_thread_eigen=false; do
  one=$(bits "$threads" 1)
  eight=$(bits "$threads" 8)
  echo "$threads: 1 device ${one:0:12}, 8 devices ${eight:0:12}"
  if [[ $threads == PJRT_NPROC=8 ]]; then
    [[ $one == "$eight" ]]
  else
    [[ $one != "$eight" ]]
  fi
done
