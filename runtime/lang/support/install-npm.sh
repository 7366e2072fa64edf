# Installs into the home folder, as in a project there, and shows the packages to
# code in the folders of runs, which are below /tmp: there modules are looked for
# from the file upwards.
command -v npm >/dev/null || { echo 'vm: no package manager: npm' >&2; exit 127; }
[ -z "$VM_INDEX_NPM" ] || export npm_config_registry="$VM_INDEX_NPM"
export npm_config_cache="${0%/*}/cache" npm_config_update_notifier=false
npm install --prefix "$HOME" --no-audit --no-fund --no-progress -- "$@"
ln -sfn "$HOME/node_modules" /tmp/node_modules
