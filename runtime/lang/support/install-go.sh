# Requires the packages in the module of the home folder, which is made where
# there is none: code that is built in that folder imports what it requires.
command -v go >/dev/null || { echo 'vm: no package manager: go' >&2; exit 127; }
# A configured proxy is trusted as it is: the public checksum database knows
# nothing of private modules, and may be out of reach.
[ -z "$VM_INDEX_GO" ] || export GOPROXY="$VM_INDEX_GO" GOSUMDB=off
cd "$HOME"
[ -e go.mod ] || go mod init vm
exec go get -- "$@"
