#!/bin/sh
# A training run: train the task in CODEPATH on what is in INPUT_DIRECTORY, and leave it in
# ARTIFACT_DIRECTORY. TARGET_TYPE, class labels and secrets reach the command as variables.
set -e

: "${CODEPATH:?is not set: it names the folder of the task}"
: "${INPUT_DIRECTORY:?is not set: it names the folder of the training data}"
: "${ARTIFACT_DIRECTORY:?is not set: it names the folder for the trained model}"

rows="$INPUT_DIRECTORY/X${TRAINING_DATA_EXTENSION:-.csv}"
set -- --code-dir "$CODEPATH" --input "$rows" --output "$ARTIFACT_DIRECTORY" "$@"
for pair in \
    y.csv:--target-csv \
    weights.csv:--row-weights-csv \
    X.colnames:--sparse-column-file \
    parameters.json:--parameter-file; do
    file="$INPUT_DIRECTORY/${pair%%:*}"
    if [ -f "$file" ]; then
        set -- "$@" "${pair#*:}" "$file"
    fi
done

echo "Running: polyhost fit $* --verbose --enable-fit-metadata"
exec polyhost fit "$@" --verbose --enable-fit-metadata
