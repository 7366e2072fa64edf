echo before
cd /boom || exit 1
