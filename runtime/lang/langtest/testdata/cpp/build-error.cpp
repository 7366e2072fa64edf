int main() {
    return boom; // HERE
}
