#!/usr/bin/env bash
# The first process of a host, in namespaces of its own (see host.sh). Its root is this machine's,
# copy-on-write on a disk of the host's own: what is written stays on that disk, and what is this
# machine's alone (homes, logs, Docker's data and settings, host keys) is not seen.
#
#   init.sh FOLDER
set -euo pipefail

folder=$1

disk=$folder/disk
root=$folder/root
hidden=(etc/docker etc/ssh/sshd_config.d var/lib/docker var/lib/containerd var/log var/tmp)

first_boot() {
  mkdir -p "$disk/work" "$disk/docker" "$disk/hidden" "$disk/upper/etc/ssh" "$disk/upper/var/lib"
  local path
  for path in /* /.[!.]*; do
    case $path in
      /bin | /etc | /lib* | /sbin | /usr | /var) ;;
      *) hidden+=("${path#/}") ;;
    esac
  done
  # A whiteout: to an overlay, a name that is not there.
  for path in "${hidden[@]}"; do
    mknod "$disk/upper/$path" c 0 0
    : >"$disk/hidden/${path//\//%}"
  done
}

furnish() {
  cd "$root"
  mkdir -p boot dev home media mnt opt proc run srv sys var/lib/docker var/log etc/docker \
    etc/ssh/sshd_config.d
  install -d -m 0700 root root/.ssh
  install -d -m 1777 tmp var/tmp

  echo "$NAME" >etc/hostname
  tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
  printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost ip6-localhost\n' "$NAME" >etc/hosts
  rm -f etc/resolv.conf etc/ssh/ssh_host_*
  cp "$folder/resolv.conf" etc/resolv.conf
  cp "$folder/daemon.json" etc/docker/daemon.json

  # Debian's own settings, with keys only.
  cp usr/share/openssh/sshd_config etc/ssh/sshd_config
  printf 'PasswordAuthentication no\nPort %s\n' "$SSH_PORT" >etc/ssh/sshd_config.d/host.conf
  cp "$folder/ssh_host_ed25519_key" "$folder/ssh_host_ed25519_key.pub" etc/ssh/
  cp "$folder/authorized_keys" root/.ssh/authorized_keys
  chmod 0600 etc/ssh/ssh_host_ed25519_key root/.ssh/authorized_keys
}

mount_kernel() {
  cd "$root"
  mount -t proc -o nosuid,nodev,noexec proc proc
  mount -t sysfs -o nosuid,nodev,noexec sysfs sys
  mount --rbind /sys/fs/cgroup sys/fs/cgroup
  mount --bind /dev dev
  mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts
  mount -t tmpfs -o nosuid,nodev tmpfs dev/shm
  mount -t tmpfs -o nosuid,nodev,mode=0755 tmpfs run
  mount --bind "$disk/docker" var/lib/docker
  # For inventory.sh.
  mkdir run/host-disk
  mount --bind -o ro "$disk" run/host-disk
}

# The number by which the outer machine knows this process; its /proc is still the one mounted.
read -r pid _ </proc/self/stat

mkdir -p "$disk" "$root"
if [ ! -e "$folder/disk.img" ]; then
  truncate -s "$DISK_SIZE" "$folder/disk.img"
  mkfs.ext4 -q -F -m 0 -O ^has_journal -E lazy_itable_init=1 "$folder/disk.img"
fi
mount -o loop,noatime,noinit_itable "$folder/disk.img" "$disk"
new=
[ -d "$disk/upper" ] || new=yes
[ -z "$new" ] || first_boot
mount -t overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work" overlay "$root"
[ -z "$new" ] || furnish
mount_kernel

exec 3>"$folder/pid"
cd "$root"
pivot_root . mnt
cd /
umount --lazy /mnt

hostname "$NAME"
mkdir -p /run/lock /run/sshd
find /tmp -mindepth 1 -delete
/usr/sbin/sshd -E /var/log/sshd.log
echo "$pid" >&3
exec 3>&-

# Bash takes in the orphans that end; it does so while it waits.
while :; do
  sleep infinity &
  wait $!
done
