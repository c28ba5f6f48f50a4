# Each target sets up what it needs by itself: see tools/setup.py and CONTRIBUTING.md.
#
#   make demo             models in four languages, scored from the command line and over HTTP
#   make test             every test of every language; RUNTIME=r (java, julia, python): one
#   make test-tensorflow  the tests of Keras models, in an environment of their own (1.5 GB)
#   make test-torch       the tests of PyTorch models, under Debian's Python and its python3-torch
#   make images           the drop-in images, with docker, podman, nerdctl or buildah; one: make image NAME=r_lang
#   make test-images      build and test five of them; others: NAMES="python3_onnx mlflow"
#   make test-flavors     the flavors of MLflow's models, with MLflow and every library (2 GB)
#   make test-ray         the tests of --engine ray, on a cluster of several nodes on this machine
#   make test-spark       the tests of polyhost.spark, on a cluster of two executors on this machine
#   make test-chart       the Helm chart with helm lint and the schemas of Kubernetes; needs Go, or both programs
#   make check            formatters, linters, type checker; make format: correct what can be
#   make bench-serving    speed and memory against other servers, each in its own environment
#   make bench-batch      batch scoring beside scripts and other scorers
#   make wheel            dist/*.whl, with the Java, R and Julia halves inside

PYTHON ?= python3
VENV := .venv/bin
RUNTIME ?=
NAMES ?=
BUILD ?=
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: help setup demo test test-tensorflow test-torch test-flavors test-ray test-spark test-chart images image test-images check format bench-serving bench-batch wheel clean

help:
	@sed -n 's/^#  //p' Makefile

setup:
	@$(PYTHON) tools/setup.py $(if $(RUNTIME),--runtime $(RUNTIME))

demo: setup
	@$(VENV)/python examples/demo.py

test: setup
	@$(VENV)/python tools/run_tests.py $(if $(RUNTIME),--runtime $(RUNTIME))

test-tensorflow:
	@$(PYTHON) -m venv .setup/tensorflow
	@.setup/tensorflow/bin/pip install -q -e '.[keras,sklearn,test]'
	@.setup/tensorflow/bin/python -m pytest tests/unit/bridges/python/frameworks/test_keras.py

test-torch: setup
	@/usr/bin/python3 -c 'import torch' 2>/dev/null || $(SUDO) apt-get install -q -y --no-install-recommends python3-torch
	@$(VENV)/python -m pytest -k 'torch' tests/server/test_environments.py tests/unit/bridges/python/frameworks

test-flavors: setup
	@$(VENV)/python tools/client_environments.py flavors
	@$(VENV)/python -m pytest -n 0 tests/flavors

images: setup
	@$(VENV)/python tools/images.py build $(BUILD)

image: setup
	@$(VENV)/python tools/images.py build $(NAME) $(BUILD)

test-images: setup
	@$(VENV)/python tools/images.py test $(NAMES) $(BUILD)

test-ray: setup
	@$(VENV)/python tools/client_environments.py ray
	@.setup/clients/ray/bin/python -m pytest tests/engines/test_ray_score.py tests/engines/test_ray_serve.py

test-spark: setup
	@$(VENV)/python tools/client_environments.py spark
	@.setup/clients/spark/bin/python -m pytest tests/engines/test_spark.py

test-chart: setup
	@$(VENV)/python tools/chart_check.py

check: setup
	@$(VENV)/python tools/run_checks.py

format: setup
	@$(VENV)/python tools/run_checks.py --fix

bench-serving: setup
	@$(VENV)/python benchmarks/serving/environments.py
	@$(VENV)/python benchmarks/serving/run.py

bench-batch: setup
	@$(VENV)/python benchmarks/batch/run.py

wheel: setup
	@$(VENV)/python -m build --wheel

clean:
	rm -rf .venv .setup build dist runtimes/java/target
