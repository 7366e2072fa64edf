int main(void) {
    return boom;
}
