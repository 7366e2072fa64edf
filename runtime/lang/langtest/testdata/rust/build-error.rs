fn main() {
    boom();
}
