#!/usr/bin/env bash
# What a keeper does with a node's checkpoints: keeper.sh save|restore|weigh|clear. It has the node's volumes, each in
# a folder of VOLUMES, and at NODE the node's own file system, where LAYER names what lies in no volume.
# STORE is a folder of the engine's volume, with a folder for each checkpoint: ID is this one's, KNOWN those of all,
# the newest last. SPARE is how many kB must stay free.
set -euo pipefail
shopt -s nullglob dotglob
engine=$VOLUMES/engine
store=$engine/$STORE
place=$store/$ID
newest=${KNOWN##* }

# What an image brought never changes, so it is linked; containers and the engine write to all else, so that is copied.
classify() {  # FOLDER: goes there, and sets `linked`, `copied`, and `folders` that hold both
  local -A of_image=()
  local file path layer
  linked=() copied=()
  cd "$1" || return
  for file in image/overlay2/layerdb/sha256/*/cache-id; do of_image[$(<"$file")]=1; done
  for path in *; do case $path in overlay2 | "$STORE") ;; *) copied+=("$path") ;; esac; done
  for path in overlay2/*/*; do
    layer=${path#overlay2/}
    if [ "${layer#*/}" = diff ] && [ "${of_image[${layer%/*}]:-}" ]; then linked+=("$path"); else copied+=("$path"); fi
  done
  folders=(overlay2 overlay2/*/)
}

copy_engine() {  # FROM TO, on one volume
  local path
  classify "$1"
  mkdir -p "$2"
  for path in "${folders[@]}"; do
    mkdir "$2/$path"
    chmod --reference="$path" "$2/$path"
  done
  for path in "${linked[@]}"; do cp -al "$path" "$2/$path"; done
  for path in "${copied[@]}"; do cp -a "$path" "$2/$path"; done
}

# By content: two files of one size and time may differ. What the newest checkpoint has too, a new one has from it.
mirror() { rsync -aHAXS --numeric-ids --checksum --delete "$@"; }
mirror_new() {  # PART RSYNC'S WORDS...
  local shared=()
  if [ "$newest" ] && [ -d "$store/$newest/$1" ]; then shared=(--link-dest="$store/$newest/$1"); fi
  mirror "${shared[@]}" "${@:2}" "$place/$1/"
}

free() { df -k --output=avail "$engine" | tail -1; }

save() {
  local layer=() path need
  classify "$engine"
  for path in $LAYER; do if [ -e "$NODE$path" ]; then layer+=("$NODE/.$path"); fi; done
  need=$(du -skc "${copied[@]}" "$VOLUMES/data" "$VOLUMES/consul" "${layer[@]}" | awk 'END { print $1 }')
  if [ $((need + SPARE)) -gt "$(free)" ]; then
    echo "No space left on device: $((need / 1024)) MB to copy, $((SPARE / 1024)) to spare, $(($(free) / 1024)) free" >&2
    return 1
  fi
  mkdir -p "$place/layer"
  chmod 700 "$store"
  copy_engine "$engine" "$place/engine"
  mirror_new data "$VOLUMES/data/"
  mirror_new consul "$VOLUMES/consul/"
  mirror_new layer --relative "${layer[@]}"
}

# The node stands still, and its processes never go on: they end here, but for the first, which the engine ends.
end_processes() {
  local own process pid
  own=$(readlink /proc/self/ns/mnt)
  for process in /proc/[0-9]*; do
    pid=${process#/proc/}
    if [ "$pid" != 1 ] && [ "$(readlink "$process/ns/mnt" || true)" != "$own" ]; then
      kill -9 "$pid" 2>/dev/null || true
    fi
  done
}

put_back() {
  local path from
  cd "$engine" || return
  for path in *; do if [ "$path" != "$STORE" ]; then rm -rf -- "${path:?}"; fi; done
  copy_engine "$place/engine" "$engine"
  mirror "$place/data/" "$VOLUMES/data/"
  mirror "$place/consul/" "$VOLUMES/consul/"
  for path in $LAYER; do
    from=$place/layer$path
    if [ -d "$from" ]; then
      # Not by rsync: it writes through no link of /proc, which the way to the node's own file system is.
      mkdir -p "$NODE$path"
      find "$NODE$path" -mindepth 1 -delete
      cp -a "$from/." "$NODE$path"
      # By a definition Consul checks a service, and heals it: it comes when the service has come back.
      find "$NODE$path" -maxdepth 1 -name "$WITHHELD" -delete
    elif [ -e "$from" ]; then
      cp -a --remove-destination "$from" "$NODE$path"
    fi
  done
}

restore() {
  end_processes
  put_back
}

# A digest of a checkpoint; the kB it alone takes, the kB that a restore writes, the kB that are free.
weigh() {
  local pruned=() path digest own all
  if [ ! -d "$place/engine" ]; then echo "none 0 0 0"; return; fi
  classify "$place/engine"
  cd "$place" || return
  for path in "${linked[@]}"; do pruned+=(-path "./engine/$path" -prune -o); done
  digest=$({
    find . -printf '%P %y %s %m %U:%G %T@ %l\0' | LC_ALL=C sort -z
    find . "${pruned[@]}" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum
  } | sha256sum | cut -c 1-64)
  own=$(find . \( -type d -o -links 1 \) -printf '%k\n' | awk '{ sum += $1 } END { print sum + 0 }')
  all=$(find . "${pruned[@]}" -printf '%k\n' | awk '{ sum += $1 } END { print sum + 0 }')
  echo "$digest $own $all" $(($(free)))
}

# Of the checkpoints the known ones stay: what was begun and not ended goes, and what was removed.
clear() {
  local path
  for path in "$store"/*; do
    case " $KNOWN " in *" ${path##*/} "*) ;; *) rm -rf -- "${path:?}" ;; esac
  done
  rmdir "$store" 2>/dev/null || true
}

case $1 in save | restore | weigh | clear) "$1" ;; *) exit 2 ;; esac
