#include <cassert>
#include <iostream>

int main() {
    std::cout << "before\n";
    assert(!"boom");
}
