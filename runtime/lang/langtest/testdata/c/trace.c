#include <assert.h>
#include <stdio.h>

static int inner(int n) {
	assert(n > 3); /* HERE */
	return n;
}

int main(void) {
	printf("%d\n", inner(1));
}
