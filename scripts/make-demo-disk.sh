#!/usr/bin/env bash
# Makes assets/demo-disk.raw.zst: a 256 MiB ext4 disk with the files of a small server (inode change times differ from run to run).
# Needs mke2fs (e2fsprogs) and node 24: npm exec -c scripts/make-demo-disk.sh
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export E2FSPROGS_FAKE_TIME=1767225600 LC_ALL=C TZ=UTC

tree=$work/tree
mkdir -p "$tree"/{etc,root,srv/app/{bin,config,data,docs},var/log/app,var/lib/app,home/dev}
echo 'demo' >"$tree/etc/hostname"
echo 'Welcome to the demo disk.' >"$tree/etc/motd"
printf '127.0.0.1 localhost\n127.0.1.1 demo\n' >"$tree/etc/hosts"
printf 'NAME="Demo"\nID=demo\nVERSION_ID="1"\n' >"$tree/etc/os-release"
printf 'root:x:0:0:root:/root:/bin/sh\ndev:x:1000:1000::/home/dev:/bin/sh\n' >"$tree/etc/passwd"
printf 'listen = 8080\nworkers = 4\ndata = "/srv/app/data"\n' >"$tree/srv/app/config/app.toml"
printf '#!/bin/sh\nexec app --config /srv/app/config/app.toml\n' >"$tree/srv/app/bin/start"
cp LICENSE "$tree/srv/app/docs/LICENSE"
# Records and logs: plausible, repetitive, and larger than their compressed form.
awk 'BEGIN { s = 1; for (i = 0; i < 50000; i++) { s = (s * 16807) % 2147483647
  printf "%08d,2026-%02d-%02d,%s,%d\n", i, s % 12 + 1, s % 28 + 1, (s % 3 ? "paid" : "open"), s % 500 } }' \
  >"$tree/srv/app/data/orders.csv"
awk 'BEGIN { s = 7; for (i = 0; i < 40000; i++) { s = (s * 16807) % 2147483647
  printf "2026-01-%02d GET /orders/%d 200\n", i / 1350 + 1, s % 997 } }' >"$tree/var/log/app/access.log"
find "$tree" -exec touch -h -d @"$E2FSPROGS_FAKE_TIME" {} +

mke2fs -q -t ext4 -d "$tree" -L demo -U 6d6f6f00-0000-4000-8000-000000000001 \
  -E hash_seed=6d6f6f00-0000-4000-8000-000000000002,root_owner=0:0,lazy_itable_init=0,nodiscard -m 0 -N 2048 -J size=4 \
  "$work/disk.raw" 256M
e2fsck -fn "$work/disk.raw" >/dev/null
node -e '
  const { readFileSync, writeFileSync } = require("node:fs");
  const { constants, zstdCompressSync } = require("node:zlib");
  const params = { [constants.ZSTD_c_compressionLevel]: 19, [constants.ZSTD_c_checksumFlag]: 1 };
  writeFileSync(process.argv[2], zstdCompressSync(readFileSync(process.argv[1]), { params }));
' "$work/disk.raw" assets/demo-disk.raw.zst
ls -l assets/demo-disk.raw.zst
