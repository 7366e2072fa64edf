fn main() {
    boom(); // HERE
}
