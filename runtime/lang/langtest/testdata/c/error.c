#include <assert.h>
#include <stdio.h>

int main(void) {
    puts("before");
    assert(!"boom");
}
