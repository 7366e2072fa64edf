# shellcheck shell=bash disable=SC2154
# Test images made from the distribution's packages, because no public registry
# may be reachable: itechsmart/base, itechsmart/python, and itechsmart/languages
# with a toolchain for every language. The engine's data in the cache keeps
# them, so they are made once.

images_suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
images_base=itechsmart/base:$images_suite
images_python=itechsmart/python:$images_suite
images_languages=itechsmart/languages:$images_suite

# What the languages need beyond Python, which has an image of its own.
images_packages=(
	nodejs node-typescript             # JavaScript, TypeScript
	default-jdk-headless               # Java
	golang-go                          # Go
	rustc libstd-rust-dev              # Rust
	gcc g++ libc6-dev                  # C, C++
	ruby php-cli perl bash lua5.4      # and what their names say
	r-base-core                        # R
	sqlite3                            # SQL
	python3-pip                        # as a distribution has it, with its guard (PEP 668)
	ca-certificates procps             # what programs expect of a machine
)

images_up() {
	image_exists "$images_languages" || timed "make images" images_make || return
	if registry_running && [[ ! -e $cache/registry/pushed ]]; then
		timed "push images" images_push && touch "$cache/registry/pushed"
	fi
}

image_exists() { engine_docker image inspect "$1" >/dev/null 2>&1; }

images_make() {
	local root=$cache/root
	need debootstrap:debootstrap || return
	as_root rm -rf --one-file-system "$root"
	timed "bootstrap" images_bootstrap "$root" >"$cache/images.log" &&
		images_import "$root" "$images_base" &&
		images_install "$root" python3 python-is-python3 >>"$cache/images.log" &&
		images_import "$root" "$images_python" &&
		timed "languages" images_install "$root" "${images_packages[@]}" >>"$cache/images.log" &&
		timed "import" images_import "$root" "$images_languages" || {
		tail -n 20 "$cache/images.log" >&2
		return 1
	}
	as_root rm -rf --one-file-system "$root"
}

# The machine's own sources, whatever they are, serve the images as well.
images_bootstrap() {
	local uri suite components
	read -r uri suite < <(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
		awk -v suite="$images_suite" '$2 == suite {print; exit}')
	components=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		awk -v suite="$suite" '$1 == suite {print $2}' | sort -u | paste -sd, -)
	as_root debootstrap --variant=minbase --components="$components" "$suite" "$1" "$uri"
	# No documentation, and no waiting for the disk: the files are only packed up.
	as_root tee "$1/etc/dpkg/dpkg.cfg.d/test-image" >/dev/null <<-'END'
		force-unsafe-io
		path-exclude=/usr/share/doc/*
		path-exclude=/usr/share/man/*
		path-exclude=/usr/share/locale/*
	END
}

# images_install ROOT PACKAGE… installs without recommendations.
images_install() {
	as_root rm -f "$1/etc/apt/sources.list"
	as_root cp -rL /etc/apt/sources.list* /etc/apt/apt.conf.d "$1/etc/apt/" 2>/dev/null || true
	as_root cp -L /etc/resolv.conf "$1/etc/resolv.conf"
	as_root unshare --mount bash -euc '
		mount -t proc proc "$0/proc"
		mount --rbind /dev "$0/dev"
		chroot "$0" apt-get update -qq
		DEBIAN_FRONTEND=noninteractive chroot "$0" \
			apt-get install -y -qq --no-install-recommends "$@"
		chroot "$0" apt-get clean
	' "$@" 2>&1
}

# images_import ROOT NAME packs a root folder into an image, without what names
# the machine it was made on.
images_import() {
	as_root tar -C "$1" --one-file-system -c --exclude=./var/lib/apt/lists/* \
		--exclude=./var/cache/apt/*.bin --exclude=./var/cache/apt/archives/*.deb \
		--exclude=./etc/apt/* --exclude=./etc/resolv.conf --exclude=./dev/* . |
		engine_docker import \
			--change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
			--change 'CMD ["bash"]' - "$2" >/dev/null
}

# The registry offers the small images, under the names that people know.
images_push() {
	local address version
	address=$(registry_address)
	version=$(engine_docker run --rm --network none "$images_python" \
		python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	image_push "$images_base" "$address/base:$images_suite"
	image_push "$images_python" "$address/python:$version"
}

image_push() {
	engine_docker tag "$1" "$2" && engine_docker push -q "$2" >/dev/null && engine_docker rmi "$2" >/dev/null
}

images_env() {
	engine_running && image_exists "$images_languages" || return 0
	echo "export ITECHSMART_TEST_IMAGE=$images_languages"
	echo "export ITECHSMART_TEST_BASE_IMAGE=$images_base"
}
