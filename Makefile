# make demo    trains FCN-8s on the built-in shapes, evaluates it, names its pictures
# make weights packs the demo's net, which others can start from, into WEIGHTS
# make test    runs the test suite
# make parity  compares with PyTorch, live
# make storage reads data from servers that speak S3 and GCS
# make lint    ruff
# make types   pyright
# make aot     compiles for an H100 that is not there, and reads what came of it
# make docs    builds the documentation, runs its notebook and its tutorial
# make long    the tests that take many seconds each, beside quicker ones of the same
# make slow    the tests that take minutes
# make clean   removes the environment and the demo's run

PYTHON ?= python3
# Another interpreter has an environment of its own: make test PYTHON=python3.13
VENV := .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
RUN := runs/shapes_fcn8s
# Of another run: make weights RUN=runs/camvid WEIGHTS=fcn_jax/pretrained/camvid-fcn8s.safetensors
WEIGHTS := fcn_jax/pretrained/shapes-fcn8s.safetensors

.PHONY: demo weights test long parity storage aot docs lint types slow clean

demo: $(VENV)/.core
	$(BIN)/fcn_jax train --config=shapes_fcn8s --workdir=$(RUN)
	$(BIN)/fcn_jax eval --workdir=$(RUN)

weights: $(VENV)/.core
	test -d $(RUN)/checkpoints || $(MAKE) demo
	$(BIN)/fcn_jax pack $(RUN) $(WEIGHTS) --commit=$$(git describe --always --dirty=+)

# A worker begins with half of the tests as they stand: what a file's tests share is made once.
test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist=worksteal

long: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist=worksteal -m 'long and not slow'

slow: $(VENV)/.test
	$(BIN)/python -m pytest -m slow

parity: $(VENV)/.parity
	$(BIN)/python -m pytest -m parity

storage: $(VENV)/.storage
	$(BIN)/python -m pytest tests/storage/test_object_stores.py

aot: .venv-aot/.aot
	.venv-aot/bin/python -m pytest -m aot

# Warnings are errors; -E reads every page anew.
docs: .venv-docs/.docs
	.venv-docs/bin/python -m sphinx -q -E -W --keep-going -b html docs docs/_build/html
	.venv-docs/bin/python -m pytest -m docs tests/docs
	@echo "docs/_build/html/index.html"

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/pyright --pythonpath $(BIN)/python

clean:
	rm -rf $(VENV) .venv-aot .venv-docs docs/_build $(RUN)

$(VENV)/.core: requirements.txt pyproject.toml setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.test: $(VENV)/.core
	$(BIN)/pip install --quiet --editable ".[test]"
	touch $@

# The CPU build where pip finds one; the version the comparisons were made with.
$(VENV)/.parity: $(VENV)/.test
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --no-deps segmentation-models-pytorch==0.6.0  # Its losses.
	touch $@

# aiobotocore says which boto3 goes with it; pip looks for that a long time without.
$(VENV)/.storage: $(VENV)/.test
	$(BIN)/pip install --quiet --editable ".[test,storage]"
	$(BIN)/pip install --quiet "aiobotocore[boto3]" "moto[s3]==5.2.5" flask flask-cors \
	  "gcp-storage-emulator==2024.8.3" "setuptools<81"
	touch $@

# The compilers for GPUs and TPUs of the same JAX; neither needs a device.
.venv-aot/.aot: requirements.txt pyproject.toml setup.py
	$(PYTHON) -m venv .venv-aot
	.venv-aot/bin/pip install --quiet --editable ".[test]"
	version=$$(.venv-aot/bin/python -c "import jax; print(jax.__version__)"); \
	.venv-aot/bin/pip install --quiet "jax[tpu]==$$version" nvidia-cuda-nvcc \
	  "jax-cuda13-plugin==$$version" "jax-cuda13-pjrt==$$version"
	touch $@

.venv-docs/.docs: requirements.txt pyproject.toml setup.py
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/pip install --quiet --editable ".[test,docs]"
	touch $@
