#!/bin/sh
# Score the parts of one index: part number n belongs to index n modulo COMPLETIONS.
#
# PARTS is a file with a line "INPUT<tab>OUTPUT" for each part; without lines, INPUT is a pattern of
# files, and each output lies in OUTPUT_FOLDER under its input's name. An output that is there is
# finished, since polyhost writes outputs whole: a pod that takes over begins where the last one ended.
set -eu

tab=$(printf '\t')
number=0

score_part() {
    mine=$((number % COMPLETIONS))
    number=$((number + 1))
    [ "$mine" -eq "$JOB_COMPLETION_INDEX" ] || return 0
    input=$1 output=$2
    shift 2
    case $output in
        *://*) ;;
        *) if [ -e "$output" ]; then
            echo "$output is finished"
            return 0
        fi ;;
    esac
    echo "$input: begins"
    polyhost score --code-dir "$MODEL" --input "$input" --output "$output" "$@" </dev/null
    echo "$input: finished as $output"
}

if [ -s "$PARTS" ]; then
    while IFS="$tab" read -r from to; do
        score_part "$from" "$to" "$@"
    done <"$PARTS"
else
    twice=$(for from in $INPUT; do echo "${from##*/}"; done | sort | uniq -d)
    if [ -n "$twice" ]; then
        echo "several inputs are called $twice, and so would their outputs be: use batch.parts" >&2
        exit 2
    fi
    for from in $INPUT; do
        if [ ! -e "$from" ]; then
            echo "no input: nothing is called $from" >&2
            exit 1
        fi
        score_part "$from" "$OUTPUT_FOLDER/${from##*/}" "$@"
    done
fi
