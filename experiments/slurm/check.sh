#!/usr/bin/env bash
# Runs the smoke scale under a real Slurm on this machine, with jobs disturbed in several ways, and compares the merged
# tables with those of a single run. For a machine of your own: as root, where `apt-get install slurm-wlm munge` was
# done; it starts a controller, its nodes and munge in a folder of its own, and ends them again. The program of one job
# is killed, and another job cancelled. With NODES=2 there are two nodes that share the store; the time of a third job
# comes to its end, a fourth loses its node for a while, and what was cancelled loses its node for a moment when it is
# submitted again. SKIP_BUILD=1 takes the program as it is built. Options of `reproduce` may follow:
# `NODES=2 experiments/slurm/check.sh --table III`.
set -euo pipefail
cd "$(dirname "$0")/../.."
check=slurm
. experiments/slurm/common.sh
for command in munged slurmctld slurmd sbatch; do
  command -v "$command" >/dev/null || { echo "slurm check: left out, no $command (apt-get install slurm-wlm munge)"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo "slurm check: left out, not root"; exit 0; }
host=$(hostname -s)
case "${NODES:-1}" in
  1) names=("$host") ;;
  2) names=(a b) ;;
  *) echo "slurm check: expected NODES=1 or NODES=2, found \`$NODES\`" >&2; exit 2 ;;
esac
# Each of two nodes has process numbers of its own, as two machines would, and all that runs on it ends with its first
# process, as where a machine loses its power.
machine=(unshare --pid --fork --mount-proc --kill-child)
[ ${#names[@]} = 1 ] || "${machine[@]}" true || { echo "slurm check: left out, two nodes need namespaces"; exit 0; }
[ -n "${SKIP_BUILD:-}" ] || cargo build --package reproduce --package cli
program=$PWD/target/debug/reproduce
folder=$(mktemp -d /tmp/slurm-check.XXXXXX)
daemons=()
declare -A nodes=()
finish() {
  if [ ${#nodes[@]} != 0 ]; then
    timeout 10 scancel --me 2>/dev/null || true
    timeout 40 bash -c 'while [ -n "$(squeue -h 2>/dev/null)" ]; do sleep 0.2; done' || true
    [ ${#names[@]} = 1 ] || kill -KILL "${nodes[@]}" 2>/dev/null || true
  fi
  kill "${nodes[@]}" "${daemons[@]}" 2>/dev/null || true
  echo "slurm check: logs are in $folder"
}
trap finish EXIT

mkdir -p "$folder"/{state,spool,munge}
dd if=/dev/urandom of="$folder/munge/key" bs=128 count=1 status=none
chmod 600 "$folder/munge/key"
munged --foreground --force --socket="$folder/munge/socket" --key-file="$folder/munge/key" \
  --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" 2>"$folder/munge/err" &
daemons+=($!)
cat >"$folder/slurm.conf" <<END
ClusterName=check
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${CONTROLLER_PORT:-16817}
SlurmUser=root
AuthInfo=socket=$folder/munge/socket,cred_expire=5
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmdTimeout=30
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
JobCompType=jobcomp/filetxt
JobCompLoc=$folder/runs
MailProg=/bin/true
ReturnToService=2
END
port=${NODE_PORT:-16818}
for name in "${names[@]}"; do
  mkdir "$folder/spool/$name"
  echo "NodeName=$name NodeHostname=$host NodeAddr=127.0.0.1 Port=$port CPUs=$((2 / ${#names[@]})) State=UNKNOWN"
  port=$((port + 1))
done >>"$folder/slurm.conf"
echo "PartitionName=check Nodes=ALL Default=YES MaxTime=INFINITE State=UP" >>"$folder/slurm.conf"
export SLURM_CONF=$folder/slurm.conf
slurmctld -D -f "$SLURM_CONF" >"$folder/slurmctld.log" 2>&1 &
daemons+=($!)
start_node() { # NAME
  local node=(slurmd -D -f "$SLURM_CONF" -N "$1")
  [ ${#names[@]} = 1 ] || node=("${machine[@]}" bash -c '"$@" & wait' node "${node[@]}")
  "${node[@]}" >>"$folder/slurmd-$1.log" 2>&1 &
  nodes[$1]=$!
}
for name in "${names[@]}"; do start_node "$name"; done
is_idle() { [ "$(sinfo -h -o %T)" = idle ]; }
until_true 60 is_idle

echo "slurm check: a single run"
"$program" --scale smoke --no-download "$@" --store "$folder/single-store" --out "$folder/single" >"$folder/single.log" 2>&1
run=("$program" --scale smoke --no-download "$@" --store "$folder/store" --out "$folder/merged" --jobs "$folder/jobs" --array 4)
echo "slurm check: an array of 4, nodes: ${names[*]}"
"${run[@]}" --slurm
process() { pgrep -f -- "$folder/jobs/reproduce .*--shard $1/4"; }
reached() { [ "$(sed -n 's/.*"done":\([0-9]*\).*/\1/p' "$folder/jobs/progress/$1.json")" -ge "$2" ]; }
is_at_work() { reached "shard-$1" 1 && process "$1"; }
hold() { # SHARD: stops its program in the middle of its work, lest it be done before it is disturbed.
  until_true 1200 is_at_work "$1"
  kill -STOP "$(process "$1")"
}
job() { squeue -h -r -t PENDING,RUNNING -o '%K %F_%K' | sed -n "s/^$1 //p"; } # SHARD
lose_node_of() { # SHARD
  lost=$(squeue -h -r -j "$(job "$1")" -o %N)
  kill -KILL "${nodes[$lost]}"
  wait "${nodes[$lost]}" 2>/dev/null || true
}
says() { grep -q "$2" "$folder/jobs/logs/shard-$1.log"; } # SHARD TEXT

hold 1
hold 2
kill -KILL "$(process 1)"
until_true 60 says 1 'the program was killed; queued again'
scancel "$(job 2)"
echo "slurm check: 1 was killed, 2 cancelled"
if [ ${#names[@]} = 2 ]; then
  hold 3
  hold 4
  # The warning is sent 2 minutes before the end.
  scontrol update JobId="$(job 3)" TimeLimit=2
  is_told() { grep -q '^ShdPnd:.*[4-7c-f]...$' "/proc/$(process 3)/status"; } # SIGTERM, which a stopped process keeps
  until_true 120 is_told
  kill -CONT "$(process 3)"
  until_true 60 says 3 'the time is almost up; queued again'
  waits() { [ "$(squeue -h -r -j "$(job "$1")" -o %T)" = PENDING ]; }
  until_true 120 waits 3
  scontrol update JobId="$(job 3)" TimeLimit=UNLIMITED
  echo "slurm check: the time of 3 was almost up"
  lose_node_of 4
  is_down() { [[ $(sinfo -h -n "$lost" -o %T) == down* ]]; }
  until_true 180 is_down
  echo "slurm check: 4 lost its node $lost"
  start_node "$lost"
fi
merge_is_gone() { ! squeue -h -o %j | grep -q merge; }
until_true 1800 merge_is_gone
"${run[@]}" --slurm-status
echo "slurm check: what is left, again"
"${run[@]}" --slurm
if [ ${#names[@]} = 2 ]; then
  hold 2
  lose_node_of 2
  # It is back before the controller misses it. The tables have to wait for the job.
  start_node "$lost"
  echo "slurm check: 2 lost its node $lost, which is back at once"
fi
finished() { grep -q '"finished":true' "$folder/jobs/progress/merge.json"; }
until_true 1800 finished
"${run[@]}" --slurm-status
for shard in 1 2 3 4; do
  [ "$(grep -c "shard $shard/4 is done" "$folder/jobs/logs/shard-$shard.log")" = 1 ]
done
# PENDING is what a script queued again.
awk '{
  for (i = 1; i <= NF; i++) { at = index($i, "="); field[substr($i, 1, at - 1)] = substr($i, at + 1) }
  sub(/.*-/, "", field["Name"])
  print field["Name"] ($0 ~ /ArrayTaskId/ ? " " field["ArrayTaskId"] : ""), "on", field["NodeList"] ":", field["JobState"]
}' "$folder/runs" | tee "$folder/history"
for name in "${names[@]}"; do grep -q "^shard . on $name:" "$folder/history"; done
[ ${#names[@]} = 1 ] || [ "$(grep -cE '^shard (2|4) on .: NODE_FAIL' "$folder/history")" = 2 ]
same_as_single merged
