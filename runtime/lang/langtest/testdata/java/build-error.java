public class Lesson {
    public static void main(String[] args) {
        int x = boom; // HERE
    }
}
