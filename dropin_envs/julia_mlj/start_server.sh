#!/bin/sh
# Entry point of the image: serve the model in CODE_DIR at ADDRESS.
set -e

echo "Starting the model server in ${CODE_DIR:-the folder given by --code-dir}"

if [ "${ENABLE_CUSTOM_MODEL_RUNTIME_ENV_DUMP:-0}" = 1 ]; then
    echo "Environment:"
    env
fi

echo "Running: polyhost server $*"
exec polyhost server "$@"
