# Loaded before every program: output to a pipe leaves as it is written.
$stdout.sync = true
