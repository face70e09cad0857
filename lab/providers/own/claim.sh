#!/usr/bin/env bash
# Takes a machine for a lab: claim LAB NODE "PUBLIC KEY". Before it: keep, the text of keep.sh.
# From here on every change is noted, so that give_back.sh can undo it.
# shellcheck disable=SC2154  # keep is set before it
set -eu
umask 022
lab=$1 node=$2 key=$3
home=/var/lib/bluegreen-lab
install -d -m 0700 $home
echo "$key" >$home/owner
touch $home/record
cat >$home/keep.new <<<"$keep"
chmod 0755 $home/keep.new
mv $home/keep.new $home/keep

if ! id -u vagrant >/dev/null 2>&1; then
  echo "user vagrant" >>$home/record
  useradd --create-home --shell /bin/bash vagrant
fi
$home/keep file:/etc/sudoers.d/vagrant
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/vagrant
chmod 0440 /etc/sudoers.d/vagrant
install -d -m 0700 -o vagrant -g vagrant /home/vagrant/.ssh
install -m 0600 -o vagrant -g vagrant /dev/stdin /home/vagrant/.ssh/authorized_keys <<<"$key"

# Swarm calls an engine by its machine's name.
if [ "$(hostname)" != "$node" ]; then
  echo "hostname $(hostname)" >>$home/record
  for file in /etc/hosts /etc/hostname; do $home/keep file:$file; done
  echo "127.0.1.1 $node" >>/etc/hosts # sudo looks its own machine up
  echo "$node" >/etc/hostname
  hostname "$node"
fi

# What no resource of provisioning makes, and the lab writes all the same.
for place in /lab-cache /vagrant /data /run/bluegreen-lab /var/lib/lab-faults; do $home/keep "folder:$place"; done
as_if_alone="-o APT::AutoRemove::RecommendsImportant=false -o APT::AutoRemove::SuggestsImportant=false"
if [ ! -e $home/removable ]; then # what could be removed already stays: it is somebody's
  # shellcheck disable=SC2086
  apt-get -s $as_if_alone autoremove 2>/dev/null | awk '/^Remv/ { print $2 }' >$home/removable
fi
echo "$lab" >$home/name # last: now it is the lab's
