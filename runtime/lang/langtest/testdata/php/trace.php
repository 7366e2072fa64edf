<?php
function inner(int $n): int {
    return intdiv(10, $n); // HERE
}
function outer(int $n): int {
    return inner($n - 1); // FRAME
}
echo outer(1); // FRAME
