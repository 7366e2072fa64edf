# Crates are built once, as what a package in the home folder depends on, and
# found by the compiler through the arguments in its file rustc-args.
command -v cargo >/dev/null || { echo 'vm: no package manager: cargo' >&2; exit 127; }
case $VM_INDEX_CARGO:$(cargo --version) in
?*:cargo\ 1.[0-9].* | ?*:cargo\ 1.[1-5][0-9].* | ?*:cargo\ 1.6[0-7].*)
	echo 'vm: an index of your own needs cargo 1.68' >&2
	echo 'vm: no package manager: cargo' >&2
	exit 127
	;;
esac
home=$HOME/.vm-crates
mkdir -p "$home"
cd "$home"
if [ -n "$VM_INDEX_CARGO" ]; then
	mkdir -p .cargo
	printf '[source.crates-io]\nreplace-with = "index"\n[source.index]\nregistry = "sparse+%s/"\n' "${VM_INDEX_CARGO%/}" >.cargo/config.toml
else
	rm -f .cargo/config.toml
fi
if [ ! -e Cargo.toml ]; then
	printf '[package]\nname = "vm-crates"\nversion = "1.0.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n[profile.dev]\ndebug = 0\n' >Cargo.toml
	: >lib.rs
fi
cp Cargo.toml "${0%/*}/Cargo.toml"
undo() { cp "${0%/*}/Cargo.toml" Cargo.toml; exit 1; }
cargo add -- "$@" || undo
cargo build || undo
# What cargo tells the compiler about the crates is what code needs to be told.
touch lib.rs
cargo build -v 2>"${0%/*}/log" || undo
sed -n '/ --crate-name vm_crates /p' "${0%/*}/log" | tr ' ' '\n' | tr -d '`' |
	sed -n -e '/^\(-L\|--extern\)$/{N;s/\.rmeta$/.rlib/;p;}' >rustc-args.new
mv rustc-args.new rustc-args
