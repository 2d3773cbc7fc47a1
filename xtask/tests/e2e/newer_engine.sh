# Unpacks the engine, the client and buildx of a newer Debian into root/. Exit status 3: no Debian archive is known.
archive="$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' 'Label: Debian' |
    sort -u | head -n 1)"
[ -n "$archive" ] || exit 3
mkdir -p lists/partial cache/archives/partial
printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s forky main\n' "$archive" >sources.list
cat >apt.conf <<EOF
Dir::Etc::SourceList "$PWD/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State::Lists "$PWD/lists";
Dir::State::Status "/dev/null";
Dir::Cache "$PWD/cache";
Acquire::Languages "none";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::Retries "3";
APT::Sandbox::User "root";
EOF
export APT_CONFIG="$PWD/apt.conf"
apt-get --quiet update
apt-get --quiet download docker.io docker-cli docker-buildx
mkdir -p root/config/cli-plugins
for package in ./*.deb; do
    dpkg-deb -x "$package" root
done
ln root/usr/libexec/docker/cli-plugins/docker-buildx root/config/cli-plugins/docker-buildx
