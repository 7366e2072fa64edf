echo "Hello, world!\n";
