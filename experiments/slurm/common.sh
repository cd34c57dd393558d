# What the checks of runs on several machines share; `check` is the name of the one that reads this.

until_true() { # SECONDS COMMAND...: waits until the command succeeds.
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || { echo "$check check: waited in vain for: $*" >&2; return 1; }
    sleep 0.1
  done
}
same_as_single() { # FOLDER: compares it with that of a single run. Times are this machine's at that moment.
  diff -r --exclude='skipping-time.*' "$folder/single" "$folder/$1"
  echo "$check check: $1: $(find "$folder/$1" -type f ! -name 'skipping-time.*' | wc -l) files are those of the single run"
}
