int main(void) {
    return boom; // HERE
}
