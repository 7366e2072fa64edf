inner() {
  no_such_command_here "$1" # HERE
}
outer() {
  inner x
}
set -e
outer
