.print Hello, world!
