System.out.println("Hello, world!");
