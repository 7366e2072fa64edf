# Installs packages of the VM's distribution, as its root.
if command -v apt-get >/dev/null; then
	export DEBIAN_FRONTEND=noninteractive
	if [ -n "$VM_INDEX_APT" ]; then
		echo "deb $VM_INDEX_APT" >"${0%/*}/sources.list"
		echo "Dir::Etc::SourceList \"${0%/*}/sources.list\"; Dir::Etc::SourceParts \"/dev/null\";" >"${0%/*}/apt.conf"
		export APT_CONFIG="${0%/*}/apt.conf"
	fi
	# Downloads are left to root: what is below the scratch folder is root's alone.
	apt-get -q -o APT::Sandbox::User=root update
	exec apt-get -q -y -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 --no-install-recommends install -- "$@"
fi
if command -v apk >/dev/null; then
	exec apk add --no-cache --no-progress ${VM_INDEX_APK:+--repository "$VM_INDEX_APK"} -- "$@"
fi
for dnf in dnf microdnf yum; do
	if command -v $dnf >/dev/null; then
		exec $dnf install -y ${VM_INDEX_DNF:+--repofrompath "vm,$VM_INDEX_DNF" --repo vm} -- "$@"
	fi
done
echo 'vm: no package manager: system' >&2
exit 127
