#!/usr/bin/env bash
# One accuracy over many machines with Slurm: every task of the array evaluates its share of the images, then
# `zoo eval merge` proves that each image is there exactly once.
#
#   jobid=$(sbatch --parsable --array=0-7 examples/cluster/slurm.sh HRNet_W48_C /data/imagenet/val /scratch/eval)
#   sbatch --dependency=afterok:$jobid --wrap 'zoo eval merge /scratch/eval/*.jsonl'
#
# A task that was killed and is started again goes on where it ended. Weights are read from the cache of each machine
# (`zoo fetch` beforehand, or ZOO_CACHE on a shared disk); further options of `zoo eval` follow the three arguments.
#SBATCH --job-name=zoo-eval
#SBATCH --cpus-per-task=8
#SBATCH --mem=4G
#SBATCH --time=04:00:00
#SBATCH --requeue
set -euo pipefail

usage="usage: sbatch --array=0-N slurm.sh NAME DATA OUT [OPTIONS of zoo eval]"
name=${1:?$usage} data=${2:?$usage} out=${3:?$usage}
shift 3
index=${SLURM_ARRAY_TASK_ID:?$usage}
count=${SLURM_ARRAY_TASK_COUNT:?$usage}

# The network is for buckets alone: `zoo` built with `--features object-store` takes s3:// for DATA and OUT.
network=(--offline)
[[ "$data $out $*" != *://* ]] || network=()

exec zoo eval "$name" --data "$data" --out "$out" --shard "$index/$count" \
    --threads "${SLURM_CPUS_PER_TASK:-1}" "${network[@]}" "$@"
