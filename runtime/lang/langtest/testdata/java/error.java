package org.example;

class Helper {
    static String text() { return "boom {"; }
}

class Lesson {
    public static void main(String[] args) {
        System.out.println("before");
        throw new IllegalStateException(Helper.text());
    }
}
