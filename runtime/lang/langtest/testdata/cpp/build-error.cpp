int main() {
    return boom;
}
