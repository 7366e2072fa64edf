static int code() { return 3; }

void main() {
    System.out.println("before");
    System.exit(code());
}
