# Fetches the artifacts, and what they need to run, into a folder of the home
# folder, and shows them at the place that the class path of runs names.
command -v javac >/dev/null || { echo 'vm: no package manager: maven' >&2; exit 127; }
mkdir -p "$HOME/.vm-jars"
ln -sfn "$HOME/.vm-jars" /tmp/vm-jars
exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "${0%/*}/VMInstall.java" "$HOME/.vm-jars" "$@"
