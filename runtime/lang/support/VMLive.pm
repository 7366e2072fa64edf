# Loaded before every program: output to a pipe leaves as it is written.
package VMLive;
$| = 1;
1;
