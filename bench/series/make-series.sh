#!/bin/bash
# Makes FOLDER/1.raw to FOLDER/5.raw: one Debian disk of 4 GiB, a whole-disk ext4 file system, as it is installed and then
# after each of four rounds of installing and removing packages on the mounted disk. What is deleted is discarded, as
# virtual machines do, so that the files are sparse. The release and the mirror are the ones of this machine's apt sources.
set -euo pipefail
folder=$1
PATH=$PATH:/usr/sbin:/sbin
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

if [ "$(id -u)" != 0 ]; then
  echo 'mounting a disk and chroot need root' >&2
  exit 1
fi

suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
  awk -v suite="$suite" '$1 == suite { print $2; exit }')
if [ -z "$mirror" ]; then
  echo "this machine's apt sources name no mirror of $suite" >&2
  exit 1
fi

disk=$folder/disk.raw
root=$folder/root

mount_disk() {
  mount -o loop,discard,noatime,noinit_itable "$disk" "$root"
}

# A mount that somebody is still in goes lazily, so that the folder can be removed all the same.
unmount_all() {
  umount "$root/proc" 2>/dev/null || true
  umount "$root" 2>/dev/null || umount --lazy "$root" 2>/dev/null || true
}
trap 'unmount_all; rm -rf "$root" "$disk"' EXIT

in_root() {
  chroot "$root" "$@"
}

# keep STATE: the disk as it is now, without a mount and with all that is free a hole.
keep() {
  in_root apt-get -q clean
  umount "$root/proc"
  fstrim "$root"
  umount "$root"
  cp --sparse=always "$disk" "$folder/$1.raw"
  mount_disk
  mount -t proc proc "$root/proc"
}

install() {
  in_root apt-get -q -y --no-install-recommends install "$@"
}

# Also what nothing but a recommendation keeps.
purge() {
  in_root apt-get -q -y purge "$@"
  in_root apt-get -q -y -o APT::AutoRemove::RecommendsImportant=false autoremove --purge
}

mkdir "$root"
truncate -s 4G "$disk"
mke2fs -q -t ext4 -L calve-series -E lazy_itable_init=0,lazy_journal_init=0 "$disk"
mount_disk
debootstrap "$suite" "$root" "$mirror"
# No service is started in a chroot.
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
cp /etc/resolv.conf "$root/etc/resolv.conf"
mount -t proc proc "$root/proc"
keep 1

in_root apt-get -q update
install nginx git vim
keep 2

install python3 build-essential
keep 3

purge build-essential
install postgresql
keep 4

purge nginx vim
install php-cli imagemagick
keep 5
