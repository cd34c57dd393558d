#!/bin/bash
# Kubernetes: IMAGE is a container image with bash and the C library that the program was built with (and the driver's
# libraries for a GPU), CLAIM a volume claim that many nodes may write, which holds all folders named below as they are
# here, MOUNT (the project's folder unless said) where it is mounted. `kubernetes.sh --print` prints the jobs only.
set -euo pipefail
: "${IMAGE:?the container image}" "${CLAIM:?the volume claim}"
MOUNT=${MOUNT:-{{ root }}}
job() { # NAME JOBS WHAT
  cat <<END
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ name }}-$1
spec:
  completionMode: Indexed
  completions: $2
  parallelism: $([ "$2" -gt {{ at_a_time }} ] && echo {{ at_a_time }} || echo "$2")
  backoffLimit: $((3 * $2))
  podFailurePolicy:
    rules:
      # A pod that was preempted, or lost its node, starts again whatever the count.
      - action: Ignore
        onPodConditions:
          - type: DisruptionTarget
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: reproduce
          image: $IMAGE
          command: ["bash", {{ script_in_yaml }}, "$3"]
{% if gpu %}          resources:
            limits:
              nvidia.com/gpu: 1
{% endif %}          volumeMounts:
            - name: project
              mountPath: $MOUNT
      volumes:
        - name: project
          persistentVolumeClaim:
            claimName: $CLAIM
END
}
jobs=("common 1 common" "shard {{ count }} shard" "merge 1 merge")
for each in "${jobs[@]}"; do
  read -r name count what <<<"$each"
  if [ "${1-}" = --print ]; then
    job "$name" "$count" "$what"
    echo ---
    continue
  fi
  job "$name" "$count" "$what" | kubectl apply -f -
  # Which of the two comes first ends the wait.
  until state=$(kubectl get job "{{ name }}-$name" -o 'jsonpath={.status.conditions[?(@.status=="True")].type}') &&
    [[ $state == *Complete* || $state == *Failed* ]]; do sleep 10; done
  [[ $state == *Complete* ]] || { echo "{{ name }}-$name: $state" >&2; exit 1; }
done
