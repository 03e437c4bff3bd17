#!/bin/sh
# Builds a Debian package of the program BINARY into the folder OUT, and prints the package's name.
# usage: deb.sh BINARY OUT
# DEBFULLNAME and DEBEMAIL name the maintainer, as for Debian's own tools.
set -eu
binary=$1 out=$2
here=$(cd "$(dirname "$0")" && pwd)
version=$("$binary" version | awk '{print $2}')
arch=$(dpkg-architecture -qDEB_HOST_ARCH 2>/dev/null || dpkg --print-architecture)
maintainer="${DEBFULLNAME:-larder} <${DEBEMAIL:-larderkv@users.noreply.github.com}>"
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

doc=$root/usr/share/doc/larder
install -D -m 755 "$binary" "$root/usr/bin/larder"
install -D -m 644 "$here/larder.service" "$root/lib/systemd/system/larder.service"
install -D -m 644 "$here/larder.socket" "$root/lib/systemd/system/larder.socket"
install -D -m 640 "$here/larder.conf" "$root/etc/larder/larder.conf"
install -D -m 644 "$here/../../../README.md" "$doc/README.md"
"$here/copyright.sh" >"$doc/copyright"
printf 'larder (%s) unstable; urgency=medium\n\n  * This version.\n\n -- %s  %s\n' \
	"$version" "$maintainer" "$(date -Ru -d "@${SOURCE_DATE_EPOCH:-0}")" | gzip -9n >"$doc/changelog.gz"

install -D -m 644 "$here/debian/lintian-overrides" "$root/usr/share/lintian/overrides/larder"

mkdir "$root/DEBIAN"
for script in postinst prerm postrm; do
	install -m 755 "$here/debian/$script" "$root/DEBIAN/$script"
done
echo /etc/larder/larder.conf >"$root/DEBIAN/conffiles"
cat >"$root/DEBIAN/control" <<CONTROL
Package: larder
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: adduser
Suggests: redis-tools
Section: database
Priority: optional
Description: in-memory cache server that speaks Redis' protocol
 Clients of Redis talk to larder unchanged. It has strings, hashes, lists, sets
 and sorted sets with times to live, transactions, Lua scripts, publish and
 subscribe, snapshots and an append-only log in the formats of Redis.
CONTROL
(cd "$root" && find usr lib -type f -exec md5sum {} +) >"$root/DEBIAN/md5sums"
chmod 644 "$root/DEBIAN/md5sums" "$root/DEBIAN/conffiles" "$root/DEBIAN/control" "$doc/copyright" "$doc/changelog.gz"
find "$root" -type d -exec chmod 755 {} +
mkdir -p "$out"
deb=$out/larder_${version}_$arch.deb
dpkg-deb --root-owner-group -Zgzip --build "$root" "$deb" >/dev/null
echo "$deb"
