import java.util.*;

public class Main {
    static int inner(List<Integer> l) {
        return l.get(3); // HERE
    }
    static int outer() {
        return inner(List.of(1)); // FRAME
    }
    public static void main(String[] args) {
        System.out.println(outer()); // FRAME
    }
}
