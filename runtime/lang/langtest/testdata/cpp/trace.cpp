#include <cassert>
#include <iostream>

static int inner(int n) {
	assert(n > 3); // HERE
	return n;
}

int main() {
	std::cout << inner(1) << "\n";
}
