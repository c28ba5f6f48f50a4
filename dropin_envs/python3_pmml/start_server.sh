#!/bin/sh
# Entry point of the image: serve what is in CODE_DIR at ADDRESS.
# "start_server.sh healthcheck" asks the server of this container whether it is ready.
set -e

DEFAULT_CODE_DIR=/opt/code
DEFAULT_ADDRESS=0.0.0.0:8080
MODEL_FILES="custom.py custom.R custom.r custom.jl custom.jar Custom.java MLmodel model-metadata.yaml
*.pkl *.joblib *.pth *.h5 *.keras *.onnx *.pmml *.rds *.jlso *.zip *.mojo *.jar *.java"

# A model may bring an entry point of its own.
if [ "$0" != "$DEFAULT_CODE_DIR/start_server.sh" ] && [ "${1:-}" != healthcheck ] &&
    [ -x "$DEFAULT_CODE_DIR/start_server.sh" ]; then
    exec "$DEFAULT_CODE_DIR/start_server.sh" "$@"
fi

# Whether a folder holds anything but the environment's own scripts and hidden files.
holds_files() {
    for entry in "$1"/*; do
        case ${entry##*/} in
        start_server.sh | fit.sh) ;;
        *) if [ -e "$entry" ]; then return 0; fi ;;
        esac
    done
    return 1
}

# Whether a folder holds nothing but folders of models, two at least.
holds_several_models() {
    count=0
    for entry in "$1"/*; do
        case ${entry##*/} in
        start_server.sh | fit.sh | lost+found) continue ;;
        esac
        if ! [ -d "$entry" ] || ! is_model "$entry"; then return 1; fi
        count=$((count + 1))
    done
    [ "$count" -gt 1 ]
}

is_model() {
    for pattern in $MODEL_FILES; do
        for file in "$1"/$pattern; do
            if [ -e "$file" ]; then return 0; fi
        done
    done
    return 1
}

can_write() {
    [ -d "$1" ] && (: >"$1/.polyhost-$$") 2>/dev/null && rm -f "$1/.polyhost-$$"
}

# Platforms that name a port, each in a variable of its own: Knative and KServe, Vertex AI, SageMaker.
ADDRESS=${ADDRESS:-$DEFAULT_ADDRESS}
port=${PORT:-${AIP_HTTP_PORT:-${SAGEMAKER_BIND_TO_PORT:-}}}
if [ -n "$port" ] && [ "$ADDRESS" = "$DEFAULT_ADDRESS" ]; then
    ADDRESS=0.0.0.0:$port
fi

if [ "${1:-}" = healthcheck ]; then
    exec python3 -I -S -c '
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=4)
connection.request("GET", sys.argv[2] + "/readyz")
sys.exit(connection.getresponse().status != 200)
' "${ADDRESS##*:}" "${URL_PREFIX:-}"
fi

# Where platforms put models: /opt/code, SageMaker's and KServe's folders, Azure ML's variable.
CODE_DIR=${CODE_DIR:-$DEFAULT_CODE_DIR}
if [ "${1:-}" = serve ]; then # SageMaker's only argument
    shift
    if [ "$CODE_DIR" = "$DEFAULT_CODE_DIR" ] && holds_files /opt/ml/model; then
        CODE_DIR=/opt/ml/model
    fi
fi
if [ "$CODE_DIR" = "$DEFAULT_CODE_DIR" ] && ! holds_files "$CODE_DIR"; then
    for place in /opt/ml/model /mnt/models "${AZUREML_MODEL_DIR:-}"; do
        if [ -n "$place" ] && holds_files "$place"; then
            CODE_DIR=$place
            break
        fi
    done
fi

# With a read-only root, what is written goes where it can.
if ! can_write "${TMPDIR:-/tmp}"; then
    TMPDIR=/dev/shm
    export TMPDIR
fi
if ! can_write "${HOME:-/}"; then
    XDG_CACHE_HOME=${XDG_CACHE_HOME:-${TMPDIR:-/tmp}/.cache}
    XDG_STATE_HOME=${XDG_STATE_HOME:-${TMPDIR:-/tmp}/.state}
    export XDG_CACHE_HOME XDG_STATE_HOME
fi
if [ -n "${JULIA_DEPOT_PATH:-}" ] && ! can_write "${JULIA_DEPOT_PATH%%:*}"; then
    JULIA_DEPOT_PATH=${TMPDIR:-/tmp}/.julia:$JULIA_DEPOT_PATH
    export JULIA_DEPOT_PATH
fi
export ADDRESS CODE_DIR

echo "Starting the model server in $CODE_DIR"

if [ "${ENABLE_CUSTOM_MODEL_RUNTIME_ENV_DUMP:-0}" = 1 ]; then
    echo "Environment:"
    env
fi

if [ -f "$CODE_DIR/polyhost.yaml" ]; then
    set -- serve --config "$CODE_DIR/polyhost.yaml" "$@"
elif holds_several_models "$CODE_DIR"; then
    for folder in "$CODE_DIR"/*/; do
        set -- "$@" "${folder%/}"
    done
    set -- serve "$@"
else
    set -- server "$@"
fi
if [ "$1" = serve ]; then
    set -- "$@" --host "${ADDRESS%:*}" --port "${ADDRESS##*:}"
fi
echo "Running: polyhost $*"
exec polyhost "$@"
