/* Linked to every program: output to a pipe leaves line by line, as on a terminal. */
#include <stdio.h>

__attribute__((constructor)) static void vm_live_output(void) { setvbuf(stdout, 0, _IOLBF, 0); }
