#!/bin/sh
# One cycle without retrainer: what people's own scripts do, with Rasa's commands alone.
# Arguments: the training data without the held-out examples. Writes the seconds of each command
# to seconds.txt.
set -eu

timed() {
    name=$1
    shift
    begun=$(date +%s.%N)
    "$@"
    echo "$name $begun $(date +%s.%N)" >> seconds.txt
}

timed "data validate" \
    rasa data validate --config config.yml --domain domain.yml --data data
timed "train" \
    rasa train --config config.yml --domain domain.yml --data "$@" \
    --out models --fixed-model-name challenger
timed "test nlu (challenger)" \
    rasa test nlu --no-plot --model models/challenger.tar.gz --nlu held_out.yml --out results/challenger
timed "test nlu (champion)" \
    rasa test nlu --no-plot --model champion.tar.gz --nlu held_out.yml --out results/champion
timed "test core" \
    rasa test core --no-plot --model models/challenger.tar.gz --stories tests --out results/core
