#!/bin/sh
# Score the parts of one index: part number n belongs to index n modulo COMPLETIONS.
#
# PARTS is a file with a line "INPUT<tab>OUTPUT" for each part; without lines, INPUT is a pattern of
# files, and each output lies in OUTPUT_FOLDER under its input's name. The arguments are for polyhost.
#
# polyhost writes an output whole or not at all, so one that is there is finished, if this Job (JOB) wrote it:
# a file in .polyhost/JOB beside it says that this Job has begun it. A pod that takes over goes on from there.
# What an address holds cannot be told so cheaply: it is written again.
set -eu

tab=$(printf '\t')
number=0
replace=no
for word in "$@"; do
    [ "$word" != --overwrite ] || replace=yes
done

score_part() {
    mine=$((number % COMPLETIONS))
    number=$((number + 1))
    [ "$mine" -eq "$JOB_COMPLETION_INDEX" ] || return 0
    input=$1 output=$2
    shift 2
    case $output in
        *://*) set -- "$@" --overwrite ;;
        *) begin_file "$output" || return 0 ;;
    esac
    echo "$input: begins"
    polyhost score --code-dir "$MODEL" --input "$input" --output "$output" --resume "$@" </dev/null
    echo "$input: finished as $output"
}

# Note that this Job has begun a file; 1 when it is finished. An output of another Job is never taken for ours.
begin_file() {
    folder=${1%/*}/.polyhost/$JOB
    if [ -e "$1" ] && [ -e "$folder/${1##*/}" ]; then
        echo "$1 is finished"
        return 1
    fi
    if [ -e "$1" ]; then
        if [ "$replace" = no ]; then
            echo "$1 is there already, and not of this Job: move it away, or add --overwrite to batch.args" >&2
            exit 2
        fi
        rm -f "$1"
    fi
    mkdir -p "$folder"
    : >"$folder/${1##*/}"
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
